"""Reduce a table on disk: read it, choose rows, and write them as they are."""

from __future__ import annotations

import contextlib
import numbers
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt

from detreduce.arrays.frames import column_names
from detreduce.dataset.writing.manifest import is_in_output
from detreduce.errors import DetreduceWarning, InputError, MissingFileError, nearest
from detreduce.machine.claims import claimed
from detreduce.machine.files import refuse_special, write_atomically, writing
from detreduce.machine.near_files import suggest_path
from detreduce.reducers import list_reducers, make_reducer, reducer_class
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.reducers.engine.strata import Strata, check_strata, target_strata
from detreduce.tables.cells import MOST_TEXTS
from detreduce.tables.columns import prepare_columns
from detreduce.tables.csv_rows import LARGEST, read_csv
from detreduce.tables.parquet import ParquetRows, is_parquet
from detreduce.tables.result import StratumCount, TableReduction

DEFAULT_METHOD = "srs"
FEWEST_NUMBERED = 10
"""In a table with fewer rows, a column with the numbers of the rows is not told from others."""
MOST_NUMBERS = 1 << 30
"""Largest number of rows times features: 8 GiB of float64."""


class Rows(Protocol):
    """A table on disk. Some of its rows can be copied."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def copy(self, rows: npt.NDArray[np.int64], file: IO[bytes]) -> None:
        """Write these rows."""


@dataclass(frozen=True, slots=True)
class TableRequest:
    """A table, and how to read it.

    Attributes
    ----------
    source
        The CSV or Parquet file.
    target
        The name of the column to predict, or None.
    ignore
        The names of columns that are not features.
    strata
        See `target_strata`.
    delimiter
        The character between the cells of a CSV file, or None to find it.
    """

    source: Path
    target: str | None = None
    ignore: Sequence[str] = field(default_factory=tuple)
    strata: str | int = "auto"
    delimiter: str | None = None

    def needed(self, names: Sequence[str]) -> dict[str, int]:
        """Return the columns to read, each with the largest number of different texts.

        Raise InputError if the target or an ignored column is not among `names`, or if no feature remains.
        """
        for name, option in ((self.target, "--target"), *((name, "--ignore") for name in self.ignore)):
            if name is not None and name not in names:
                raise InputError(
                    f"{self.source} has no column {name!r} ({option}).{nearest(name, names)} Its columns: "
                    f"{', '.join(names[:20])}{', ...' if len(names) > 20 else ''}."
                )
        if self.target in self.ignore:
            raise InputError(f"The column {self.target!r} is both the target and ignored. Name it only once.")
        features = [name for name in names if name != self.target and name not in self.ignore]
        if not features:
            raise InputError(f"{self.source} has no columns to compare rows by. Leave --ignore out, or add columns.")
        targets = {} if self.target is None else {self.target: LARGEST}
        return {**dict.fromkeys(features, MOST_TEXTS), **targets}


def reduce_table(
    source: str | Path,
    output: str | Path,
    method: str = DEFAULT_METHOD,
    keep: int | float = 0.25,
    seed: int = 0,
    *,
    target: str | None = None,
    ignore: Iterable[str] = (),
    strata: str | int = "auto",
    delimiter: str | None = None,
    overwrite: bool = False,
    **parameters: Any,
) -> TableReduction:
    """Choose rows of a CSV or Parquet file, and write them to a new file of the same format.

    The rows of a CSV file are copied byte for byte, in the order of the file, with its header. Rows are compared by all
    columns except the target, as `prepare_columns` prepares them.

    Parameters
    ----------
    source
        The file. A CSV file must name its columns in its first line.
    output
        The new file.
    method
        A method that needs only features. `list_table_methods` lists them.
    keep
        How many rows to keep: an int is a number of rows, and a float is a fraction.
    seed
        The random seed.
    target
        The column to predict. It decides the strata, and is not a feature. None means that there is no target.
    ignore
        Columns that are not features, such as ids and names. They are written too.
    strata
        ``"classes"``, a number of bins, or ``"auto"``. See `BaseReducer.fit_resample`.
    delimiter
        The character between the cells of a CSV file. None means that it is found.
    overwrite
        Whether to replace an existing file.
    **parameters
        Parameters of the method.

    Raises
    ------
    InputError
        The file, a column, a cell or an option is not valid. Nothing is written then.
    DetreduceError
        Another process writes the output, or the output cannot be written.
    """
    request = TableRequest(Path(source), target, tuple(ignore), strata, delimiter)
    reducer = table_reducer(method, keep=keep, random_state=seed, **parameters)
    check_strata(strata)
    place = Path(output)
    with _reading(request.source):
        parquet = is_parquet(request.source)
    check_output(place, request.source, parquet=parquet, overwrite=overwrite)
    with writing(place), claimed(place):
        check_output(place, request.source, parquet=parquet, overwrite=overwrite)
        with _reading(request.source):
            rows, columns = read_table(request, parquet=parquet)
        chosen, facts = choose(reducer, columns, request)
        write_atomically(place, lambda file: rows.copy(chosen, file))
    return TableReduction(request.source, place, method, parameters, keep, seed, target, **facts, rows=chosen)


def list_table_methods() -> list[str]:
    """Return the names of the methods that can reduce a table: those that need nothing but features."""
    return [name for name in list_reducers() if set(reducer_class(name).needs) <= {"features", "categories"}]


def table_reducer(method: str, **params: Any) -> BaseReducer:
    """Return a reducer. Raise InputError if it cannot reduce a table, or if a parameter is not valid."""
    reducer = make_reducer(method, **params)
    if missing := set(reducer.needs) - {"features", "categories"}:
        raise InputError(
            f"The method {method!r} needs {' and '.join(sorted(missing)).replace('_', ' ')} of images, which a table "
            f"does not have. Methods for tables: {', '.join(list_table_methods())}."
        )
    reducer.check_params()
    return reducer


def read_table(request: TableRequest, *, parquet: bool) -> tuple[Rows, Any]:
    """Return the rows of a file, and its columns as a data frame of pandas."""
    import pandas as pd

    if parquet:
        table = ParquetRows(request.source)
        frame = table.frame(list(request.needed(table.names)))
        column_names(frame)
        return table, frame
    rows, columns = read_csv(request.source, request.needed, request.delimiter)
    return rows, pd.DataFrame({name: column.values() for name, column in columns.items()})


def choose(
    reducer: BaseReducer, columns: Any, request: TableRequest
) -> tuple[npt.NDArray[np.int64], Mapping[str, Any]]:
    """Choose rows. Return them in ascending order, with the facts of `TableReduction` about the choice."""
    from detreduce.representativeness import epsilon

    n = len(columns)
    if isinstance(reducer.keep, numbers.Integral) and reducer.keep > n:
        raise InputError(f"keep={reducer.keep} is more than the {n:,} rows of {request.source}. Keep at most {n:,}.")
    kept = resolve_keep(reducer.keep, n)
    table = _checked(columns, request)
    _warn_of_row_numbers(table)
    y = None if request.target is None else _whole_numbers(np.asarray(columns[request.target]))
    strata = target_strata(y, n, kept, request.strata)
    prepared = prepare_columns()
    features = prepared.fit_transform(table)
    reducer.fit(features, strata.codes if request.target is not None else None)
    rows = reducer.sample_indices_
    used = [name for name in table.columns if not _is_numeric(table[name])]
    facts = {
        "strata_kind": strata.kind,
        "strata": _counted(strata, rows),
        "total": n,
        "epsilon": epsilon(features, strata.codes, rows),
        "number_columns": [name for name in table.columns if name not in used],
        "text_columns": used,
        "ignored": list(request.ignore),
    }
    return rows, facts


def _checked(columns: Any, request: TableRequest) -> Any:
    """Return the columns of features. Columns that are no numbers become texts.

    Raise InputError if a cell is missing, or if a column is neither numbers nor a few different texts. Also raise it if
    there are too many features.
    """
    width, texts = 0, {}
    for name, series in columns.items():
        if series.isna().any():
            row = int(series.isna().to_numpy().argmax())
            what = f"has no value (NaN) in row {row}, where the first row is row 0"
            if name == request.target:
                raise InputError(f"{request.source}: the column {name!r} {what}. Fill this value or remove the row.")
            raise _unusable(request.source, name, what)
        if name == request.target:
            continue
        if _is_numeric(series):
            width += 1
            continue
        if series.dtype.kind in "mM" or not series.map(lambda value: isinstance(value, str | bool)).all():
            raise _unusable(request.source, name, "contains neither numbers nor texts")
        texts[name] = series.astype(str)
        width += (different := texts[name].nunique())
        if different > MOST_TEXTS:
            raise _unusable(
                request.source, name, f"has more than {MOST_TEXTS} different texts, so it has no categories"
            )
    if len(columns) * width > MOST_NUMBERS:
        raise InputError(
            f"{request.source} has {len(columns):,} rows and {width:,} features, which are too many for the memory. "
            "Leave columns out with --ignore, or split the file."
        )
    return columns.assign(**texts).drop(columns=[] if request.target is None else request.target)


def _warn_of_row_numbers(table: Any) -> None:
    """Warn of columns of features that number the rows. pandas writes such a column, without a name."""
    for name, series in table.items():
        if not _is_numeric(series) or len(series) < FEWEST_NUMBERED:
            continue
        values = series.to_numpy(np.float64)
        if name and values.max() - values.min() != len(values) - 1:
            continue
        # without a name, some numbers may be missing
        if (values == np.floor(values)).all() and len(np.unique(values)) == len(values):
            warnings.warn(
                f"The column {name!r} seems to number the rows, and is used to compare them. Leave it out with "
                f"--ignore {name!r} (in Python: ignore=[{name!r}]).",
                DetreduceWarning,
                stacklevel=3,
            )


def _unusable(source: Path, name: str, what: str) -> InputError:
    return InputError(
        f"{source}: the column {name!r} {what}. Repair the column, or leave it out with --ignore {name!r}."
    )


def _is_numeric(series: Any) -> bool:
    return getattr(series.dtype, "kind", "O") in "fiub"


def _whole_numbers(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return int64 in place of float64 if all values are whole, so that a class is called 0 and not 0.0."""
    if values.dtype != np.float64 or not (abs(values) < 2**53).all() or (values != np.floor(values)).any():
        return values
    return values.astype(np.int64)


def _counted(strata: Strata, rows: npt.NDArray[np.int64]) -> list[StratumCount]:
    counts = zip(strata.labels, strata.counts(), strata.counts(rows), strict=True)
    return [StratumCount(label, total, kept) for label, total, kept in counts] if strata.kind != "none" else []


def check_output(output: Path, source: Path, *, parquet: bool, overwrite: bool) -> None:
    """Raise InputError if the output may not be written: it exists, is the source, or has another format's ending."""
    if output.is_dir():
        raise InputError(f"Output {output} is a folder. Pass the path of a file.")
    refuse_special(output)
    ending = output.suffix.lower() in (".parquet", ".pq")
    if ending != parquet:
        kind, wanted = ("Parquet", ".parquet") if parquet else ("CSV", source.suffix or ".csv")
        raise InputError(f"Output {output}: the rows stay {kind}, so the name must end with {wanted}.")
    if os.path.lexists(output):
        if os.path.realpath(output) == os.path.realpath(source) or _same(output, source):
            raise InputError(f"Output {output} is the table itself. Choose another path.")
        if is_in_output(output):
            raise InputError(f"Output {output} is a file of a reduced dataset. Choose another path.")
        if not overwrite:
            raise InputError(
                f"Output {output} exists. Choose another path, or use --overwrite (in Python: overwrite=True)."
            )


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


@contextlib.contextmanager
def _reading(source: Path) -> Iterator[None]:
    """Turn an OSError of the source inside the block into an InputError."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        raise MissingFileError(f"There is no file {source}.{suggest_path(source)}") from error
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror or error}.") from error
