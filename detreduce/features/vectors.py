"""Read vectors from a file.

The rows of a .npy file are in the order of the dataset. Each row of a .csv file begins with the name of its image.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset
from detreduce.display.numbers import counted
from detreduce.display.progress import progress
from detreduce.errors import InputError, MissingFileError
from detreduce.machine.large_arrays import new_array
from detreduce.machine.near_files import suggest_path
from detreduce.machine.untrusted.array_files import read_npy
from detreduce.machine.untrusted.regular_files import is_regular, open_regular

CHECK_ROWS = 4096
"""Number of rows that are checked at once."""


def read_vectors(path: Path, dataset: DetectionDataset) -> npt.NDArray[np.floating]:
    """Read vectors from a .npy or .csv file. Return (n, d) float32, with one row per image of the dataset.

    A large .npy file of float16 or float32 is mapped into memory, and keeps its type.

    A .npy file must have one row per image, in the order of the dataset. In a .csv file, the first column identifies
    the image and the other columns are numbers. An image is identified by its name, its id, or a file name that is
    unique in the dataset. If no row matches in this way, only the file names are compared, without their folders. A
    file name then counts only if it is unique in the dataset and in the file. A first row without numbers is taken as a
    heading, and rows of other images are ignored.

    Raises
    ------
    InputError
        The number or the length of the rows is wrong, an image has no row or two rows, or a value is not a finite
        number.
    MissingFileError
        The file does not exist.
    """
    if not is_regular(path):
        raise MissingFileError(f"{path} does not exist. It should contain the vectors.{suggest_path(path)}")
    if path.suffix.lower() == ".npy":
        return _read_npy(path, dataset)
    if path.suffix.lower() == ".csv":
        return _read_csv(path, dataset)
    raise InputError(
        f"{path}: unknown suffix. Use .npy (rows in the dataset's order) or .csv (image name in the first column)."
    )


def _read_npy(path: Path, dataset: DetectionDataset) -> npt.NDArray[np.floating]:
    try:
        vectors = read_npy(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as .npy: {str(error).splitlines()[0]}.") from error
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
        raise InputError(f"{path}: expected a two-dimensional array of numbers, with one row per image.")
    if len(vectors) != len(dataset):
        raise InputError(
            f"{path} has {counted(len(vectors), 'row')} and the dataset has {counted(len(dataset), 'image')}. "
            "A .npy file needs one row per image, in the dataset's order. A .csv file is matched by image name."
        )
    mapped = vectors.dtype in (np.float16, np.float32) and not vectors.flags.writeable and vectors.flags.c_contiguous
    rows = vectors if mapped else new_array(vectors.shape, np.float32)
    for start in range(0, len(rows), CHECK_ROWS):
        part = slice(start, start + CHECK_ROWS)
        if not mapped:
            with np.errstate(over="ignore"):
                rows[part] = vectors[part]
        bad = np.flatnonzero(~np.isfinite(rows[part]).all(axis=1))
        if len(bad):
            row = start + int(bad[0])
            raise InputError(
                f"{path}: row {row} ({dataset[row].name}) has a value that is not finite or is beyond float32 "
                "(3.4e38). Remove or scale this value."
            )
    return rows


def _index_names(dataset: DetectionDataset) -> dict[str, int]:
    """Return a dict from the names and ids of the images to their rows in the dataset.

    If the file name of an image is unique in the dataset, the dict also has this file name without its folders.
    """
    words: dict[str, int] = {}
    ambiguous: set[str] = set()
    for row, record in enumerate(dataset):
        base = _file_name(record.name)
        if base in words:
            ambiguous.add(base)
        words[base] = row
    for word in ambiguous:
        del words[word]
    # a full name or an id takes precedence over a bare file name
    words.update({str(record.id): row for row, record in enumerate(dataset)})
    words.update({record.name: row for row, record in enumerate(dataset)})
    return words


def _read_csv(path: Path, dataset: DetectionDataset) -> npt.NDArray[np.float32]:
    words = _index_names(dataset)
    try:
        matched = _match_rows(path, len(dataset), words)
        if matched.vectors is None:
            matched = _match_rows(
                path, len(dataset), {word: words[_file_name(word)] for word in _unique_ends(matched.strangers, words)}
            )
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as CSV: {error}.") from None
    missing = [record.name for row, record in enumerate(dataset) if row not in matched.line_of]
    if matched.vectors is None or missing:
        names = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        hint = f". {matched.strangers[0]!r} is not an image of the dataset" if matched.strangers else ""
        if any(not name.isprintable() for name in matched.strangers):
            hint += " (the file is not UTF-8; save it as UTF-8)"
        raise InputError(
            f"{path} has no row for {len(missing)} of {len(dataset)} images: {names}{hint}. Add the missing rows."
        )
    return matched.vectors


@dataclass
class _CsvVectors:
    """The vectors that were read from a CSV file, matched to the images of the dataset.

    Attributes
    ----------
    vectors
        (n, d): the vector of each image of the dataset. None if no row of the file matches an image.
    line_of
        The number of the line that belongs to an image, keyed by the row of the image in the dataset.
    strangers
        The names in the file that do not match any image.
    """

    vectors: npt.NDArray[np.float32] | None = None
    line_of: dict[int, int] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)


def _match_rows(path: Path, count: int, words: Mapping[str, int]) -> _CsvVectors:
    """Read the vectors of `count` images from a CSV file.

    `words` maps the names and ids that the file may use to the rows of the images.
    """
    matched = _CsvVectors()
    # use surrogateescape, because the bytes of a file name may not be valid UTF-8
    with (
        io.TextIOWrapper(open_regular(path), "utf-8-sig", "surrogateescape", newline="") as file,
        progress("Reading vectors", None, "rows") as advance,
    ):
        reader = csv.reader(file)
        for cells in reader:
            if not cells or (reader.line_num == 1 and not _is_number(cells[-1])):
                continue
            advance()
            word = cells[0].strip().replace("\\", "/")
            row = words.get(word)
            if row is None:
                matched.strangers.append(word)
                continue
            if row in matched.line_of:
                raise InputError(
                    f"{path}:{reader.line_num}: {cells[0]} is also on line {matched.line_of[row]}. Remove one line."
                )
            matched.line_of[row] = reader.line_num
            numbers = _parse_numbers(cells[1:], f"{path}:{reader.line_num}")
            if matched.vectors is None:
                matched.vectors = np.zeros((count, len(numbers)), np.float32)
            if len(numbers) != matched.vectors.shape[1]:
                raise InputError(
                    f"{path}:{reader.line_num}: this row has {len(numbers)} numbers, but earlier rows have "
                    f"{matched.vectors.shape[1]}. Give every row the same length."
                )
            matched.vectors[row] = numbers
    return matched


def _unique_ends(names: Sequence[str], words: Mapping[str, int]) -> list[str]:
    """Return those names whose file name, without folders, is the file name of an image.

    File names that occur more than once in `names` are left out.
    """
    often = Counter(map(_file_name, names))
    return [name for name in names if often[_file_name(name)] == 1 and _file_name(name) in words]


def _file_name(name: str) -> str:
    """Return the part of a path after the last slash."""
    return name.rpartition("/")[2]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parse_numbers(cells: list[str], where: str) -> npt.NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):
            numbers = np.array(cells, np.float64).astype(np.float32)
    except ValueError:
        bad = next((cell for cell in cells if not _is_number(cell)), "")
        raise InputError(f"{where}: {bad!r} is not a number. Correct this value.") from None
    if not len(numbers) or not np.isfinite(numbers).all():
        raise InputError(f"{where}: expected finite numbers after the image name. Correct this row.")
    return numbers
