"""Export a ledger: filter its tidy rows, and write them as CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from detreduce.display.spreadsheet import spreadsheet_cell
from detreduce.errors import InputError, nearest
from detreduce.machine.files import write_atomically
from detreduce.machine.json_values import json_text
from detreduce.machine.untrusted.documents import load_yaml
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

    Parameters
    ----------
    rows
        Tidy rows of finished cells.
    method
        A method's name, or its label with parameters.
    keep
        The keep of the cells. The integer 1 means one image, and the float 1.0 means all images.
    control
        A control's name.
    where
        Column -> wanted value, as text. The text is read as YAML, so that a number matches an equal number. Any other
        value is compared as text.

    Raises
    ------
    InputError
        No row has one of the columns, or the method or the control is unknown.
    """
    for what, name, column in (("method", method, "label"), ("control", control, "control")):
        _check_known(what, name, rows, column)
    known = columns_of(rows)
    for name in where or {}:
        if rows and name not in known:
            raise InputError(f"No cell has the column {name!r}.{nearest(name, known)} Use one of: {', '.join(known)}.")
    return [
        row
        for row in rows
        if (method is None or method in (row["method"], row["label"]))
        and (keep is None or keep_key(row["keep"]) == keep_key(keep))
        and (control is None or row["control"] == control)
        and all(_matches(row.get(name), value, name) for name, value in (where or {}).items())
    ]


def _check_known(what: str, name: str | None, rows: Sequence[Row], column: str) -> None:
    """Raise InputError if `name` is neither in the rows nor the name of a known method or control.

    `what` is ``method`` or ``control``. The rows are searched in the columns `what` and `column`.
    """
    there = sorted({str(value) for row in rows for value in (row[what], row[column]) if value is not None})
    known = [*CONTROLS, *(list_reducers() if what == "method" else [])]
    if name is None or not rows or name in there or name in known:
        return
    raise InputError(f"No finished cell has the {what} {name!r}.{nearest(name, there)} Use one of: {', '.join(there)}.")


def columns_of(rows: Iterable[Row]) -> list[str]:
    """Return the names of all columns, in the order of their first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def export_rows(rows: Sequence[Row], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write one row per cell as CSV, JSON or Parquet. The suffix of `path` selects the format.

    The file is written completely or not at all. In CSV and Parquet, lists and mappings become JSON text. All values of
    a Parquet column have the same type, so a `keep` of 1 (one image) may become 1.0 (all images). The column `images`
    always contains the number of images.

    Raises
    ------
    InputError
        The suffix is unknown, the file exists and `overwrite` is False, or the package for Parquet is not installed.
    DetreduceError
        The file cannot be written.
    """
    target = Path(path)
    writers: dict[str, Callable[[Sequence[Row]], bytes]] = {".csv": _csv, ".json": _json, ".parquet": _parquet}
    write = writers.get(target.suffix.lower())
    if write is None:
        raise InputError(f"{target}: unknown file suffix. Use one of: {', '.join(writers)}.")
    if target.is_dir():
        raise InputError(f"Output {target} is a folder. Pass the name of a file, for example {target / 'cells.csv'}.")
    if target.exists() and not overwrite:
        raise InputError(f"Output {target} exists. Use another name, or use --overwrite (in Python: overwrite=True).")
    content = write(rows)
    write_atomically(target, lambda file: file.write(content))
    return target


def _matches(value: Any, wanted: str, column: str) -> bool:
    """Return whether a value equals `wanted`, a text that is read as YAML."""
    try:
        parsed = load_yaml(wanted)
    except yaml.YAMLError:
        parsed = wanted
    if value is None or isinstance(value, bool) or isinstance(parsed, bool) or parsed is None:
        return value is parsed
    if column == "keep" and isinstance(parsed, int | float):
        return keep_key(value) == keep_key(parsed)
    return bool(value == parsed) or str(value) == wanted


def _csv(rows: Sequence[Row]) -> bytes:
    """Return the rows as the content of a CSV file."""
    text = io.StringIO()
    columns = columns_of(rows)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([spreadsheet_cell(_flat(row.get(name))) for name in columns] for row in rows)
    return text.getvalue().encode()


def _json(rows: Sequence[Row]) -> bytes:
    """Return the rows as the content of a JSON file. Every row gets all columns."""
    columns = columns_of(rows)
    listed = [{name: row.get(name) for name in columns} for row in rows]
    return json_text(listed).encode()


def _parquet(rows: Sequence[Row]) -> bytes:
    """Return the rows as the content of a Parquet file, using polars, or pyarrow if polars is not installed."""
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
    """Write columns as Parquet with pyarrow. Raise InputError if pyarrow is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            'Parquet needs polars or pyarrow: pip install "detreduce[parquet]". Or write CSV or JSON instead.'
        ) from None
    pyarrow.parquet.write_table(pyarrow.table(dict(table)), target)


def _flat(value: Any) -> Any:
    """Return a list or mapping as JSON text, and any other value unchanged."""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value


def _one_type(values: list[Any]) -> list[Any]:
    """Convert the values of a column to one type.

    If there are integers and floats, all become floats. If the types differ in another way, all become text.
    """
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) < 2:
        return values
    wanted = float if kinds <= {int, float} else str
    return [None if value is None else wanted(value) for value in values]
