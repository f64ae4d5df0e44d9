"""The CSV file with the weights of images: write it and read it."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from detreduce.dataset.records import DetectionDataset
from detreduce.display.spreadsheet import spreadsheet_cell
from detreduce.errors import InputError
from detreduce.machine.untrusted.regular_files import open_regular
from detreduce.training.streams.weights import FloatArray

COLUMNS = ("image", "weight")


def weights_csv(dataset: DetectionDataset, weights: FloatArray) -> bytes:
    """Return a CSV table with one line for each image, in the order of the dataset: its name and its weight.

    If any two images have the same name, each line has the id of its image instead of the name.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, weight in zip(image_names(dataset), weights.tolist(), strict=True):
        writer.writerow([spreadsheet_cell(name), weight])
    return text.getvalue().encode("utf-8", "surrogateescape")


def image_names(dataset: DetectionDataset) -> list[str]:
    """Return the names of the images, or their ids if a name occurs twice."""
    names = [record.name for record in dataset]
    return names if len(set(names)) == len(names) else [str(record.id) for record in dataset]


def read_weights(file: Path, dataset: DetectionDataset) -> FloatArray:
    """Read the (n,) float64 weights of the images in a dataset from a CSV file with the columns `image` and `weight`.

    In the column `image`, an image is identified by its name, its id or its path. A file name is allowed too if no
    other image has the same file name. Lines for images that are not in the dataset are ignored, so that a table of all
    images also works for a subset.

    Raise InputError if a weight is negative or not a number, or if all weights are 0. Also raise it if an image has two
    lines or no line.
    """
    row_of = _rows_by_word(dataset)
    weights = np.full(len(dataset), np.nan)
    line_of: dict[int, int] = {}
    strangers: list[str] = []
    for number, name, text in _lines(file):
        row = row_of.get(name, row_of.get(name.removeprefix("'")))
        if row is None:
            strangers.append(name)
            continue
        if row in line_of:
            raise InputError(f"{file}:{number}: {name} is also on line {line_of[row]}. Remove one line.")
        line_of[row] = number
        weights[row] = _number(text, f"{file}:{number}")
    _check_complete(file, dataset, weights, strangers)
    return weights


def _lines(file: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (number of the line, image, weight) for each line."""
    try:
        with io.TextIOWrapper(open_regular(file), "utf-8-sig", "surrogateescape", newline="") as text:
            reader = csv.reader(text)
            header = [cell.strip() for cell in next(reader, [])]
            if any(header.count(name) != 1 for name in COLUMNS):
                raise InputError(
                    f"{file}:1: the columns are {', '.join(header) or 'empty'}, but a table of weights has the columns "
                    f"{' and '.join(COLUMNS)}."
                )
            image, weight = map(header.index, COLUMNS)
            for cells in reader:
                if len(cells) > max(image, weight):
                    yield reader.line_num, cells[image].strip(), cells[weight].strip()
                elif cells:
                    raise InputError(
                        f"{file}:{reader.line_num}: this line has no weight. Add a weight, or remove the line."
                    )
    except csv.Error as error:
        raise InputError(f"{file} cannot be read as CSV: {error}.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}.") from error


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise InputError(f"{where}: {text!r} is not a weight. Use a number of at least 0.")
    return number


def _check_complete(file: Path, dataset: DetectionDataset, weights: FloatArray, strangers: list[str]) -> None:
    """Raise InputError if an image has no weight, or if all weights are 0."""
    missing = [dataset[row].name for row in np.flatnonzero(np.isnan(weights)).tolist()]
    if missing:
        other = f" {strangers[0]!r} is not an image of the dataset." if strangers else ""
        names = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        raise InputError(
            f"{file} has no weight for {len(missing)} of {len(dataset)} images: {names}.{other} Add their lines; "
            "weight 0 leaves an image out."
        )
    if len(weights) and not weights.any():
        raise InputError(f"{file}: all weights are 0. Give some images a weight.")


def _rows_by_word(dataset: DetectionDataset) -> dict[str, int]:
    """Return a dict from the texts that identify an image to the row of the image.

    The texts are the id and the path of each image. A name or a file name is included if only one image has it.
    """
    files = Counter(record.path.name for record in dataset)
    names = Counter(record.name for record in dataset)
    rows = {record.path.name: row for row, record in enumerate(dataset) if files[record.path.name] == 1}
    rows |= {str(record.path): row for row, record in enumerate(dataset)}
    rows |= {str(record.id): row for row, record in enumerate(dataset)}
    return rows | {record.name: row for row, record in enumerate(dataset) if names[record.name] == 1}
