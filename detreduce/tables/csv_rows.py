"""Read a CSV file as columns, and copy some of its rows byte for byte.

The file is split at the bytes that the module csv of Python takes for one row. Therefore quotes, line ends, line breaks
inside quotes, the header and a byte order mark are copied as they are.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import DetreduceError, InputError
from detreduce.machine.untrusted.regular_files import open_regular
from detreduce.tables.cells import ColumnReader, TextFound, check_names

LARGEST = 2 << 30
"""Largest size in bytes of a table."""
LONGEST = 16 << 20
"""Largest number of characters in a line."""
CHUNK = 5000
"""Number of rows that are turned into numbers at once."""
PIECE = 1 << 20
BEGINNING = 1 << 10
"""Number of bytes that are searched for signs of another format."""
DELIMITERS = (",", ";", "\t", "|")
_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class CsvRows:
    """The places of the rows in a CSV file.

    Attributes
    ----------
    path
        The file.
    ends
        (n + 1,) int64: the offset in bytes where the header ends, and then where each row ends.
    status
        The status of the file when it was read.
    """

    path: Path
    ends: npt.NDArray[np.int64]
    status: os.stat_result

    def __len__(self) -> int:
        return len(self.ends) - 1

    def copy(self, rows: npt.NDArray[np.int64], file: IO[bytes]) -> None:
        """Write the header and these rows to `file`. `rows` must be ascending.

        Raise DetreduceError if the CSV file has changed since it was read.
        """
        with open_regular(self.path) as source:
            now = os.fstat(source.fileno())
            if (now.st_size, now.st_mtime_ns) != (self.status.st_size, self.status.st_mtime_ns):
                raise DetreduceError(f"{self.path} has changed while it was read. Run the command again.")
            _copy(source, 0, int(self.ends[0]), file)
            breaks = np.flatnonzero(np.diff(rows) != 1) + 1
            for block in np.split(rows, breaks):
                if len(block):
                    _copy(source, int(self.ends[block[0]]), int(self.ends[block[-1] + 1]), file)


def _copy(source: IO[bytes], start: int, end: int, file: IO[bytes]) -> None:
    source.seek(start)
    while start < end:
        piece = source.read(min(PIECE, end - start))
        if not piece:
            raise DetreduceError("The table became shorter while it was read. Run the command again.")
        file.write(piece)
        start += len(piece)


def read_csv(path: Path, needed: Any, delimiter: str | None = None) -> tuple[CsvRows, dict[str, ColumnReader]]:
    """Read a CSV file. Return the places of its rows, and its columns by name.

    Parameters
    ----------
    path
        The file. Its first line names the columns.
    needed
        A function of the list of column names. It returns the names of the columns to read, each with the largest
        number of different texts. It raises InputError if a column is missing.
    delimiter
        The character between two cells. None means: the most frequent of comma, semicolon, tab and ``|`` in the first
        line.

    Raises
    ------
    InputError
        The file is empty, is not a CSV file, has a row of another length than the header, or has two columns with the
        same name.
    OSError
        The file cannot be read, or has more than `LARGEST` bytes.
    """
    with _long_cells():
        rows, columns, late = _read(path, needed, delimiter, set())
        if late:
            # a later part of the file has texts, so the file is read again with these columns as texts
            rows, columns, later = _read(path, needed, delimiter, late)
            if later:
                raise DetreduceError(f"{path} has changed while it was read. Run the command again.")
    return rows, columns


@contextlib.contextmanager
def _long_cells() -> Iterator[None]:
    """Allow cells of `LONGEST` characters inside the block. A cell of an ignored column may contain a document."""
    before = csv.field_size_limit(LONGEST)  # 128 KiB otherwise, for all of the process
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _read(
    path: Path, needed: Any, delimiter: str | None, texts: set[str]
) -> tuple[CsvRows, dict[str, ColumnReader], set[str]]:
    """Read a CSV file, with the columns in `texts` as texts.

    Return its rows, its columns, and the names of columns that have a first text too late: these are not whole.
    """
    with open_regular(path) as source:
        status = os.fstat(source.fileno())
        if status.st_size > LARGEST:
            raise InputError(f"{path} has more than {LARGEST >> 30} GiB, the limit for tables. Split the file first.")
        start = _first_byte(source, path)
        lines = _Lines(source, start, path)
        first = lines.peek()
        if not first.strip():
            raise InputError(f"{path} is empty, or its first line is. The first line must name the columns.")
        between = _delimiter(first) if delimiter is None else delimiter
        records = _records(lines, between, path)
        names = [_decoded(name) for name in next(records)]
        check_names(names, path)
        places = {name: (names.index(name), most) for name, most in needed(names).items()}
        columns = {name: ColumnReader(name, path, most, is_text=name in texts) for name, (_, most) in places.items()}
        ends, chunk, numbers = [lines.offset], [], []
        late: set[str] = set()
        for record in records:
            if not record:
                ends[-1] = lines.offset  # a blank line belongs to the row before it
                continue
            if len(record) != len(names):
                found = "1 cell" if len(record) == 1 else f"{len(record):,} cells"
                named = "1 column" if len(names) == 1 else f"{len(names):,} columns"
                raise InputError(
                    f"{path}, line {lines.count}: {found}, but the first line names {named}. Repair this "
                    "line, or name the character between cells with --delimiter."
                )
            ends.append(lines.offset)
            chunk.append(record)
            numbers.append(lines.count)
            if len(chunk) == CHUNK:
                late |= _add(columns, places, chunk, numbers)
                chunk, numbers = [], []
        late |= _add(columns, places, chunk, numbers)
    if len(ends) == 1:
        raise InputError(f"{path} has no rows below its first line, so there is nothing to choose from.")
    return CsvRows(path, np.array(ends, np.int64), status), columns, late


def _add(
    columns: dict[str, ColumnReader], places: dict[str, tuple[int, int]], chunk: list[list[str]], lines: list[int]
) -> set[str]:
    """Add some rows to the columns. Remove the columns that have a first text now, and return their names."""
    late = set()
    for name, column in columns.items() if chunk else ():
        place = places[name][0]
        try:
            column.add([_decoded(record[place]) for record in chunk], lines)
        except TextFound:
            late.add(name)
    for name in late:
        del columns[name]
    return late


def _records(lines: _Lines, delimiter: str, path: Path) -> Iterator[list[str]]:
    """Yield the cells of each row. Raise InputError if a row is not valid."""
    try:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
    except (TypeError, ValueError) as error:
        raise InputError(f"--delimiter {delimiter!r} is not valid. Use one character, such as ';'.") from error
    try:
        yield from reader
    except csv.Error as error:
        raise InputError(
            f"{path}, line {lines.count}: this is not valid CSV: {error}. Check the quotes there."
        ) from error


class _Lines:
    """The lines of a file with their ends, and the number of bytes that were read so far.

    The bytes are decoded as Latin-1, so that each character is one byte.
    """

    def __init__(self, source: IO[bytes], start: int, path: Path) -> None:
        source.seek(start)
        self._text = io.TextIOWrapper(source, "latin-1", newline="")
        self._first: str | None = None
        self._path = path
        self.offset, self.count = start, 0

    def peek(self) -> str:
        """Return the first line, which stays the next one."""
        self._first = self._read()
        return self._first

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line, self._first = self._read() if self._first is None else self._first, None
        if not line:
            self._text.detach()
            raise StopIteration
        self.offset += len(line)
        self.count += 1
        return line

    def _read(self) -> str:
        line = self._text.readline(LONGEST + 1)
        if len(line) > LONGEST:
            raise InputError(
                f"{self._path}, line {self.count + 1} has more than {LONGEST >> 20} MiB. Is this a CSV file?"
            )
        return line


def _first_byte(source: IO[bytes], path: Path) -> int:
    """Return the offset of the first byte after a byte order mark. Raise InputError for files that are not CSV."""
    head = source.read(BEGINNING)
    if head.startswith(_GZIP):
        raise InputError(f"{path} is compressed. Unpack the file first.")
    if head.startswith(_WIDE) or b"\0" in head:
        raise InputError(f"{path} is not a CSV file in UTF-8. If it is text in UTF-16, save it as UTF-8 first.")
    return len(_BOM) if head.startswith(_BOM) else 0


def _delimiter(line: str) -> str:
    """Return the most frequent delimiter outside quotes in the first line, or a comma."""
    outside = "".join(line.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _decoded(cell: str) -> str:
    """Return the text of a cell: UTF-8, or Latin-1 if the bytes are not UTF-8."""
    if cell.isascii():
        return cell
    try:
        return cell.encode("latin-1").decode()
    except UnicodeDecodeError:
        return cell
