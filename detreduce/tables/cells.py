"""Turn the cells of a column of a CSV file into numbers or texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detreduce.errors import InputError

MISSING = frozenset({"", "?", "n/a", "na", "nan", "none", "null", "<na>", "#n/a"})
"""Cells that mean a missing number, in lower case. In a column of texts, only an empty cell is missing."""
MOST_TEXTS = 100
"""Largest number of different texts in a column. Each text becomes a feature."""


class TextFound(Exception):
    """A column that had only numbers so far has a text. The file must be read again with this column as texts."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class ColumnReader:
    """One column of a table, to which rows are added.

    A column contains numbers if each cell is a number or is missing. Otherwise it contains texts.

    Parameters
    ----------
    name
        The name of the column.
    path
        The file, for messages.
    most
        The largest number of different texts.
    is_text
        Whether the column is known to contain texts.

    A column that may have any number of texts is the target.
    """

    def __init__(self, name: str, path: Path, most: int, *, is_text: bool) -> None:
        self.name, self.is_text = name, is_text
        self._is_target = most > MOST_TEXTS
        self._path, self._most = path, most
        self._parts: list[Any] = []
        self._known: dict[str, int] = {}
        self._missing = 0
        self._first_missing: int | None = None
        self._first_infinite: int | None = None
        self._first_text: tuple[str, int] | None = None

    def add(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Add cells with the numbers of their lines.

        Raise `TextFound` if this is the first text after numbers. Raise InputError if there are too many texts.
        """
        if not self.is_text:
            try:
                numbers = _numbers(cells)
            except ValueError:
                if self._parts:
                    raise TextFound(self.name) from None
                self.is_text = True
            else:
                self._parts.append(numbers)
                self._note_missing(np.isnan(numbers), lines)
                infinite = np.isinf(numbers)
                if self._first_infinite is None and infinite.any():
                    self._first_infinite = lines[int(infinite.argmax())]
                return
        if self._first_text is None:
            self._first_text = next(
                ((cell, line) for cell, line in zip(cells, lines, strict=True) if not _is_number(cell)), None
            )
        known = self._known
        self._parts.append(np.array([known.setdefault(cell, len(known)) for cell in cells], np.int64))
        self._note_missing(np.array([not cell.strip() for cell in cells]), lines)
        if len(known) > self._most:
            raise InputError(self._too_many())

    def values(self) -> Any:
        """Return the column: (n,) float64 numbers, or a categorical of pandas.

        Raise InputError if a cell is missing or infinite.
        """
        if self._first_missing is not None:
            rest = self._missing - 1
            more = f", and in {rest:,} more {'line' if rest == 1 else 'lines'}" if rest else ""
            raise InputError(
                f"{self._path}: the column {self.name!r} has no value (NaN) in line {self._first_missing}{more}. Fill "
                f"{'these cells or remove these lines' if rest else 'this cell or remove this line'}{self._or_ignore()}"
            )
        if self._first_infinite is not None:
            raise InputError(
                f"{self._path}: the column {self.name!r} has an infinite number in line {self._first_infinite}. Repair "
                f"this cell or remove this line{self._or_ignore()}"
            )
        values = np.concatenate(self._parts)
        if not self.is_text:
            return values
        import pandas as pd

        order = sorted(self._known, key=str)
        place = {label: number for number, label in enumerate(order)}
        codes = np.array([place[label] for label in self._known], np.int64)[values]
        return pd.Categorical.from_codes(codes, pd.Index(order))

    def _or_ignore(self) -> str:
        """Return the end of a message. The target cannot be ignored."""
        return "." if self._is_target else f", or leave the column out with --ignore {self.name!r}."

    def _note_missing(self, missing: Any, lines: Sequence[int]) -> None:
        if missing.any():
            self._missing += int(missing.sum())
            if self._first_missing is None:
                self._first_missing = lines[int(missing.argmax())]

    def _too_many(self) -> str:
        cell, line = self._first_text or ("", 0)
        comma = " Decimals need a point, not a comma." if _has_decimal_comma(cell) else ""
        return (
            f"{self._path}: the column {self.name!r} has more than {self._most:,} different texts, so they are not "
            f"categories. The first cell that is not a number is {cell[:40]!r} in line {line}.{comma} Leave the column "
            f"out with --ignore {self.name!r}."
        )


def check_names(names: Sequence[str], path: Path) -> None:
    """Raise InputError if the names in the header are not names, or if two of them are equal."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(f"{path}: more than one column is called {repeated[0]!r}. Give each column its own name.")
    numbered = list(names) == [str(number) for number in range(len(names))]
    if all(_is_number(name) for name in names) and not numbered:
        raise InputError(
            f"{path}: the first line has only numbers, so it does not name the columns. Add a first line with names."
        )


def _numbers(cells: Sequence[str]) -> Any:
    """Return cells as float64, with NaN for missing ones. Raise ValueError if a cell is a text."""
    try:
        if any("_" in cell for cell in cells):
            raise ValueError("Python allows underscores in numbers, and other programs do not")
        return np.array(cells, np.float64)
    except ValueError:
        return np.array([np.nan if cell.strip().lower() in MISSING else _number(cell) for cell in cells], np.float64)


def _number(cell: str) -> float:
    if "_" in cell:
        raise ValueError(cell)
    return float(cell)


def _has_decimal_comma(cell: str) -> bool:
    return cell.count(",") == 1 and _is_number(cell.replace(",", "."))


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True
