"""Find the images that a caller names by id, by name, or in a text file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.reading.text_lines import text_lines
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.display.numbers import counted
from detreduce.errors import DetreduceWarning, InputError, MissingFileError, nearest
from detreduce.features.table import FeatureTable
from detreduce.machine.near_files import suggest_path
from detreduce.machine.untrusted.regular_files import LISTS, read_regular
from detreduce.selection.request import CompositionRequest

IntArray = npt.NDArray[np.int64]
_SUGGESTED = 5


def read_names(file: Path) -> list[str]:
    """Read the names or paths of images from a text file with one image per line.

    Raises MissingFileError if the file does not exist, and InputError if it cannot be read.
    """
    try:
        lines = text_lines(read_regular(file, LISTS))
    except FileNotFoundError as error:
        raise MissingFileError(
            f"The list of images {str(file)!r} does not exist.{suggest_path(file)} Looked in: {absolute(file).parent}. "
            "A file that was saved from a page is in the browser's folder for downloads: "
            "move it here, or pass its path."
        ) from error
    except OSError as error:
        raise InputError(f"The list of images {file} cannot be read: {error}.") from error
    return [line.strip() for line in lines if line.strip()]


def image_rows(table: FeatureTable, wanted: Sequence[str | int], fate: str = "kept") -> IntArray:
    """Return the rows of the `wanted` images in a table. Images can be given as ids, names or paths.

    Each row is returned once. `fate` is the word in error messages for what should happen to the images, for example
    "kept". Raises InputError if an image is not in the table, or if several images have the same name.
    """
    if not wanted:
        return np.empty(0, np.int64)
    rows_of_name: dict[str, list[int]] = {}
    row_of_id: dict[ImageId, int] = {}
    for row, dataset_row in enumerate(table.rows):
        record = table.dataset[int(dataset_row)]
        row_of_id[record.id] = row
        for name in {*_names_of(table, int(dataset_row))}:
            rows_of_name.setdefault(name, []).append(row)
    found = []
    for item in wanted:
        rows = [row_of_id[item]] if item in row_of_id else rows_of_name.get(str(item), [])
        if not rows and isinstance(item, str):
            rows = rows_of_name.get(str(absolute(item)), [])
        if not rows and str(item) in _unreadable_names(table):
            raise InputError(
                f"The image {item!r} should be {fate}, but it could not be read. Repair the file, or do not name it."
            )
        if not rows:
            names = [name for row in table.rows.tolist() for name in _names_of(table, row)[:2]]
            hint = nearest(str(item), names)
            raise InputError(f"The image {item!r} should be {fate}, but the dataset does not have it.{hint}")
        if len(rows) > 1:
            ids = ", ".join(repr(table.dataset[int(table.rows[row])].id) for row in rows[:3])
            raise InputError(
                f"{len(rows)} images have the name {item!r}. Use the id of the image that is to be {fate}: {ids}."
            )
        found.append(rows[0])
    return np.array(list(dict.fromkeys(found)), np.int64)


def find_image(dataset: DetectionDataset, image: ImageId) -> int:
    """Return the row of an image. `image` is its id, its name or the end of its path.

    Raise InputError if no image or several images match.
    """
    if image in dataset.row_of:
        return dataset.row_of[image]
    text = str(image)
    exact = [row for row, record in enumerate(dataset) if text in (record.name, str(record.id))]
    ends = exact or [row for row, record in enumerate(dataset) if str(record.path).endswith("/" + text)]
    if len(ends) == 1:
        return ends[0]
    if not ends:
        hint = _names_with(text, dataset) or nearest(text, [record.name for record in dataset])
        raise InputError(f"{dataset.source.typed}: the {dataset.split} split has no image {image!r}.{hint}")
    ids = ", ".join(repr(dataset[row].id) for row in ends[:3])
    raise InputError(f"{len(ends)} images have the name {image!r}. Use the id of one image: {ids}.")


def _names_with(text: str, dataset: DetectionDataset) -> str:
    """Return a sentence that suggests the images whose names contain a text.

    If no name contains the text, return an empty string.

    If the text is shortened with ``…``, a name must contain the part before ``…`` and the part after it. Upper and
    lower case and the extension of the file name do not matter.
    """
    parts = [part.strip() for part in (Path(text).stem if "." in text else text).lower().split("…") if part.strip()]
    if not parts:
        return ""
    found = [one.name for one in dataset if all(part in one.name.lower() for part in parts)]
    if not found:
        return ""
    shown = ", ".join(map(repr, found[:_SUGGESTED]))
    more = f" (and {len(found) - _SUGGESTED} more)" * (len(found) > _SUGGESTED)
    return f" Did you mean {'one of ' * (len(found) > 1)}{shown}{more}?"


def named_rows(table: FeatureTable, request: CompositionRequest, stacklevel: int = 2) -> tuple[IntArray, IntArray]:
    """Return two arrays of rows: the images in `must_keep`, and the other images in `initial`.

    Images of an earlier selection that can no longer be read are left out with a warning.
    """
    named = image_rows(table, request.must_keep)
    unreadable = _unreadable_names(table) if request.initial else set()
    readable = [item for item in request.initial if str(item) not in unreadable]
    if lost := len(request.initial) - len(readable):
        warnings.warn(
            f"{counted(lost, 'image')} of the earlier selection cannot be read and "
            f"{'is' if lost == 1 else 'are'} left out.",
            DetreduceWarning,
            stacklevel=stacklevel + 1,
        )
    earlier = image_rows(table, readable)
    return named, earlier[~np.isin(earlier, named)]


def leave_out_excluded(
    table: FeatureTable, request: CompositionRequest
) -> tuple[FeatureTable, IntArray, CompositionRequest]:
    """Leave out excluded and leaked images, even if they are in `initial`.

    Excluded images are the images of `exclude`. Leaked images are also in val or test.

    Returns three values: the remaining table, the rows of `table` that remain, and the request for the remaining table.
    `groups` of the request is a rule, or one label for each row. Raises InputError if `exclude` names an unknown image,
    or if an image to leave out is in `must_keep`.
    """
    everything = np.arange(len(table), dtype=np.int64)
    unreadable = _unreadable_names(table) if request.exclude else set()
    # ignore images that cannot be read, because they are left out already
    out = image_rows(table, [item for item in request.exclude if str(item) not in unreadable], "excluded")
    if leaked := {item.image: item for item in request.leaked}:
        ids = ids_of_rows(table, everything)
        for row in image_rows(table, request.must_keep).tolist():
            if found := leaked.get(ids[row]):
                raise InputError(
                    f"The image {found.name!r} is in must_keep, but it is also in {found.other_split}. Remove it "
                    "from must_keep, or do not use drop_leaked, which leaves such images out."
                )
        out = np.union1d(out, np.array([row for row in everything.tolist() if ids[row] in leaked], np.int64))
    if not len(out):
        return table, everything, request
    if both := np.intersect1d(out, image_rows(table, request.must_keep)).tolist():
        name = table.dataset[int(table.rows[both[0]])].name
        raise InputError(f"The image {name!r} is in must_keep and in exclude. Remove it from one of the two.")
    names = {name for row in out for name in _names_of(table, int(table.rows[row]))}
    rows = np.setdiff1d(everything, out)
    groups = request.groups
    if groups is not None and not isinstance(groups, str):
        groups = np.asarray(groups)[rows]
    earlier = tuple(item for item in request.initial if str(item) not in names)
    return table.take(rows), rows, replace(request, initial=earlier, groups=groups)


def ids_of_rows(table: FeatureTable, rows: IntArray) -> list[ImageId]:
    """Return the ids of the images in some rows of a table."""
    return [table.dataset[row].id for row in table.rows[rows].tolist()]


def _unreadable_names(table: FeatureTable) -> set[str]:
    """Return the names, ids and paths of the images that are in the dataset but not in the table."""
    rows = np.setdiff1d(np.arange(len(table.dataset)), table.rows)
    return {name for row in rows.tolist() for name in _names_of(table, row)}


def _names_of(table: FeatureTable, row: int) -> tuple[str, str, str]:
    """Return the name, the id and the path of the image in a row of the dataset, all as text."""
    record = table.dataset[row]
    return record.name, str(record.id), str(record.path)
