"""The cells of a ledger as one tidy table: filter rows, and write files that other programs read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from detreduce.errors import InputError, nearest
from detreduce.machine.files import write_atomically
from detreduce.machine.json_values import json_text
from detreduce.reducers.registry import list_reducers
from detreduce.vocabulary.controls import CONTROLS
from detreduce.vocabulary.keeps import keep_key

Row = Mapping[str, Any]


def filter_rows(
    rows: Sequence[Row],
    *,
    method: str | None = None,
    keep: float | int | None = None,
    control: str | None = None,
    where: Mapping[str, str] | None = None,
) -> list[Row]:
    """Return the rows that match all given conditions.

    `method` is a name or a label with parameters. A `keep` of 1 is one image, 1.0 is all. Values of `where` are read as
    YAML; anything but numbers is compared as text. Raise InputError for a column that no row has, and for a method or
    control that neither a row nor detreduce has.
    """
    for what, name, column in (("method", method, "label"), ("control", control, "control")):
        _check_known(what, name, rows, column)
    known = columns_of(rows)
    for name in where or {}:
        if rows and name not in known:
            raise InputError(f"No cell has a column {name!r}.{nearest(name, known)} There are: {', '.join(known)}.")
    return [
        row
        for row in rows
        if (method is None or method in (row["method"], row["label"]))
        and (keep is None or keep_key(row["keep"]) == keep_key(keep))
        and (control is None or row["control"] == control)
        and all(_matches(row.get(name), value, name) for name, value in (where or {}).items())
    ]


def _check_known(what: str, name: str | None, rows: Sequence[Row], column: str) -> None:
    """Raise InputError for an unknown name; a known name that these rows lack is fine."""
    there = sorted({str(value) for row in rows for value in (row[what], row[column]) if value is not None})
    known = [*CONTROLS, *(list_reducers() if what == "method" else [])]
    if name is None or not rows or name in there or name in known:
        return
    raise InputError(f"No finished cell has the {what} {name!r}.{nearest(name, there)} There are: {', '.join(there)}.")


def columns_of(rows: Iterable[Row]) -> list[str]:
    """Return every column of the rows, in order of first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def export_rows(rows: Sequence[Row], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write one row per cell as CSV, JSON or Parquet, by the suffix of `path`; the file appears whole or not at all.

    Lists and mappings become JSON text, except in JSON. Parquet has one type per column, so counts of `keep` become
    floats if other cells have fractions; `images` tells them apart.

    Raises
    ------
    InputError
        The suffix is unknown, the file exists without `overwrite`, or the package for Parquet is missing.
    DetreduceError
        The file cannot be written.
    """
    target = Path(path)
    writers: dict[str, Callable[[Sequence[Row]], bytes]] = {".csv": _csv, ".json": _json, ".parquet": _parquet}
    write = writers.get(target.suffix.lower())
    if write is None:
        raise InputError(f"{target}: the suffix names the format; give {', '.join(writers)}.")
    if target.is_dir():
        raise InputError(f"Output {target} is a folder; name the file to write in it.")
    if target.exists() and not overwrite:
        raise InputError(f"Output {target} exists; choose another, or pass overwrite (--overwrite).")
    content = write(rows)
    write_atomically(target, lambda file: file.write(content))
    return target


def _matches(value: Any, wanted: str, column: str) -> bool:
    """Return whether a value of a column is the one that `wanted` names."""
    try:
        parsed = yaml.safe_load(wanted)
    except yaml.YAMLError:
        parsed = wanted
    if value is None or isinstance(value, bool) or isinstance(parsed, bool) or parsed is None:
        return value is parsed
    if column == "keep" and isinstance(parsed, int | float):
        return keep_key(value) == keep_key(parsed)
    return bool(value == parsed) or str(value) == wanted


def _csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    columns = columns_of(rows)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_flat(row.get(name)) for name in columns] for row in rows)
    return text.getvalue().encode()


def _json(rows: Sequence[Row]) -> bytes:
    columns = columns_of(rows)
    listed = [{name: row.get(name) for name in columns} for row in rows]
    return json_text(listed).encode()


def _parquet(rows: Sequence[Row]) -> bytes:
    table = {name: _one_type([_flat(row.get(name)) for row in rows]) for name in columns_of(rows)}
    target = io.BytesIO()
    try:
        import polars
    except ImportError:
        _parquet_by_arrow(table, target)
    else:
        polars.DataFrame(table).write_parquet(target)
    return target.getvalue()


def _parquet_by_arrow(table: Mapping[str, list[Any]], target: io.BytesIO) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            'Parquet needs polars or pyarrow: pip install "detreduce[parquet]". CSV and JSON need neither.'
        ) from None
    pyarrow.parquet.write_table(pyarrow.table(dict(table)), target)


def _flat(value: Any) -> Any:
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value


def _one_type(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) < 2:
        return values
    wanted = float if kinds <= {int, float} else str
    return [None if value is None else wanted(value) for value in values]
