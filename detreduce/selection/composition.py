"""The steps before a method chooses.

These steps leave out images, drop duplicates, keep named images and reserve images for classes. Images are reserved for
classes that have a floor. The floor of a class is the minimum number of kept images with a box of this class.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import images_of_classes
from detreduce.dataset.groups import assign_groups
from detreduce.dataset.records import DetectionDataset
from detreduce.display.numbers import counted
from detreduce.display.progress import step
from detreduce.duplicates.leakage import LeakageReport
from detreduce.duplicates.result import Duplicates
from detreduce.duplicates.search import draw_by_id
from detreduce.errors import DetreduceWarning, InputError, nearest
from detreduce.features.table import FeatureTable
from detreduce.reducers.engine.groups import Groups, make_groups
from detreduce.selection.duplicate_search import (
    check_result,
    describe_search,
    duplicates_report,
    find_duplicates,
    rows_without_duplicates,
)
from detreduce.selection.floors import floor_rows
from detreduce.selection.named_images import ids_of_rows, leave_out_excluded, named_rows
from detreduce.selection.request import ClassFloor, CompositionRequest

# the largest number of classes that a warning names
_SHOWN = 5
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Composition:
    """The state before the method chooses: the images that it can choose from, and the images that are already kept.

    Attributes
    ----------
    table
        The images to choose from.
    positions
        (m,) int64: the rows that the images of `table` have in the original table.
    images
        The number of rows of the original table.
    first
        The rows of `table` that are kept before the method chooses, in order.
    steps
        The steps so far, in order, as values that JSON can store.
    duplicates
        The search for duplicates, as values that JSON can store: what was searched for, and the pairs that were found.
    """

    table: FeatureTable
    positions: IntArray
    images: int
    first: IntArray
    steps: tuple[Mapping[str, Any], ...]
    duplicates: Mapping[str, Any]

    def take(self, values: Any, name: str) -> Any:
        """Return the values that belong to the rows of `table`.

        `values` has one value for each row of the original table, or is None. `name` is the name of the values in error
        messages, for example ``groups``.
        """
        if values is None or len(self.positions) == self.images:
            return values
        array = np.asarray(values)
        if array.shape[:1] != (self.images,):
            raise InputError(f"{name} has shape {array.shape}; expected one value per image: ({self.images},).")
        return array[self.positions]


def compose(
    table: FeatureTable,
    k: int,
    request: CompositionRequest,
    seed: int = 0,
    cache: str | Path | None = None,
) -> Composition:
    """Carry out the steps before the method chooses.

    These steps leave out excluded images, drop duplicates, keep named images, and then add images until every class
    reaches its floor.

    Images of `must_keep` and `initial` are never dropped as duplicates, and the images that are added for a floor
    respect `max_per_group`. In this function, `groups` must be one label for each row, not a rule. A warning is issued
    if a class stays below its floor.

    Raises InputError if an option cannot be used or a named image does not exist. Also raises InputError if more than
    `k` images have to be kept before the method chooses, or if fewer than `k` images remain.
    """
    check_result(table.dataset, request.drop_duplicates)
    floors = class_floors(table.dataset, request.class_floor)
    images, (remaining, allowed, request) = len(table), leave_out_excluded(table, request)
    leaked = {item.image: item for item in request.leaked}
    excluded = [one for one in ids_of_rows(table, np.setdiff1d(np.arange(images), allowed)) if one not in leaked]
    table = remaining
    named, earlier = named_rows(table, request, stacklevel=4)
    first = np.concatenate([named, earlier])
    _check_room(k, len(first), 0)
    steps: list[Mapping[str, Any]] = []
    if excluded:
        steps.append({"step": "exclude", "images": excluded})
    if not isinstance(request.drop_leaked, bool):
        steps.append(_leaked_step(request.drop_leaked))
    positions, dropped, report = _drop_duplicates(table, request, first, seed, cache)
    steps.extend(dropped)
    if k > len(positions):
        words: dict[str, object] = {"excluded images": excluded, "images of val and test": leaked}
        words["duplicates"] = len(positions) < len(table)
        without = " and ".join(name for name, left_out in words.items() if left_out)
        raise InputError(
            f"{counted(k, 'image')} should be kept, but only {len(positions)} of {images} images remain "
            f"without {without}. "
            f"Keep at most {len(positions)}."
        )
    for what, rows in (("must_keep", named), ("initial", earlier)):
        if len(rows):
            steps.append({"step": what, "images": ids_of_rows(table, rows)})
    if floors is not None:
        limited = make_groups(request.groups, request.max_per_group, len(table))
        if limited is not None:
            limited.check(k, first)
        reserved = _reserve(table, floors, first, positions, seed, limited)
        _check_room(k, len(first), len(reserved))
        first = np.concatenate([first, reserved])
        reached = _images_with(table, first)
        steps.append(
            {
                "step": "class_floor",
                "floor": _by_name(table.dataset, floors, floors),
                "reached": _by_name(table.dataset, reached, floors),
                "images": ids_of_rows(table, reserved),
            }
        )
        if missed := _missed(table, floors, reached, positions, request.max_per_group):
            warnings.warn(missed, DetreduceWarning, stacklevel=4)
    kept = table if len(positions) == len(table) else table.take(positions)
    return Composition(kept, allowed[positions], images, np.searchsorted(positions, first), tuple(steps), report)


def _drop_duplicates(
    table: FeatureTable, request: CompositionRequest, first: IntArray, seed: int, cache: str | Path | None
) -> tuple[IntArray, list[Mapping[str, Any]], Mapping[str, Any]]:
    """Find and drop duplicates, but keep the rows `first`.

    Return the remaining rows, the step for the selection (an empty list if there was no search), and the report of the
    search.
    """
    with step("looking for duplicates"):
        found = request.drop_duplicates
        if found is not None and not isinstance(found, Duplicates):
            found = find_duplicates(table, found, ids_of_rows(table, first), seed, cache)
        report = duplicates_report(table, found)
    everything = np.arange(len(table), dtype=np.int64)
    if found is None:
        return everything, [], report
    positions = rows_without_duplicates(table, found, set(first.tolist()))
    # near-duplicates in time may have no features, and then no row in the table
    absent = len({pair.copy for pair in found.pairs} - set(ids_of_rows(table, everything)))
    dropped: dict[str, Any] = {
        "step": "drop_duplicates",
        "what": describe_search(found),
        "dropped": len(table) - len(positions) + absent,
        **({"without_features": absent} if absent else {}),
    }
    return positions, [dropped], report


def _leaked_step(found: LeakageReport) -> dict[str, Any]:
    """Return the record of the step that left out leaked images, as values that JSON can store.

    The record has the images, their number, and the pairs of an image and its copy in another split.
    """
    images = list(dict.fromkeys(item.image for item in found.leaked))
    splits, least = " or ".join(list(found.splits)[:-1]), f"{found.threshold:g}"
    return {
        "step": "drop_leaked",
        "what": f"images that are also in {splits}, by pixels with a similarity of at least {least}",
        "dropped": len(images),
        "images": images,
        "pairs": found.to_dict()["leaked"],
        "matched": found.provenance.get("matched"),
    }


def check_composition(dataset: DetectionDataset, k: int, request: CompositionRequest) -> None:
    """Raise those errors of `compose` that can be found without opening an image.

    `groups` of the request is a rule, or one label for each image.
    """
    check_result(dataset, request.drop_duplicates)
    table = FeatureTable(dataset, np.arange(len(dataset), dtype=np.int64), {})
    if isinstance(request.groups, str):
        request = replace(request, groups=assign_groups(dataset, request.groups))
    table, _, request = leave_out_excluded(table, request)
    first = np.concatenate(named_rows(table, request))
    floors = class_floors(dataset, request.class_floor)
    groups = make_groups(request.groups, request.max_per_group, len(table))
    _check_room(k, len(first), 0)
    if k > len(table):
        without = " and ".join(
            ["excluded images"] * bool(request.exclude) + ["images of val and test"] * bool(request.leaked)
        )
        raise InputError(
            f"{counted(k, 'image')} should be kept, but only {len(table)} of {len(dataset)} images remain "
            f"without {without}. "
            f"Keep at most {len(table)}."
        )
    if groups is not None:
        groups.check(k, first)
    everything = np.arange(len(table), dtype=np.int64)
    _check_room(k, len(first), 0 if floors is None else len(_reserve(table, floors, first, everything, 0, groups)))


def class_floors(dataset: DetectionDataset, value: ClassFloor | None) -> IntArray | None:
    """Return the floor of each class, (C,) int64, or None if no floor is set.

    The floor is the minimum number of kept images that have a box of the class. If several classes have the same name,
    each of them gets the floor of this name.
    """
    if value is None:
        return None
    if value and not dataset.labelled:
        raise InputError(
            f"class_floor needs boxes, but {dataset.source.typed} does not have labels. Leave class_floor out."
        )
    if not isinstance(value, Mapping):
        return np.full(len(dataset.class_names), value, np.int64)
    known = set(dataset.class_names)
    unknown = [name for name in value if name not in known]
    if unknown:
        hint = nearest(str(unknown[0]), dataset.class_names)
        raise InputError(f"class_floor names the class {unknown[0]!r}, which the dataset does not have.{hint}")
    return np.array([value.get(name, 0) for name in dataset.class_names], np.int64)


def _reserve(
    table: FeatureTable,
    floors: IntArray,
    first: IntArray,
    positions: IntArray,
    seed: int,
    groups: Groups | None = None,
) -> IntArray:
    """Return the rows that have to be added to `first` so that every class reaches its floor."""
    counts = table.dataset.sparse_class_counts[table.rows[positions]]
    draw = draw_by_id(ids_of_rows(table, positions), seed, "class floor")
    limited = groups if groups is not None and groups.most is not None else None
    if limited is not None:
        limited = replace(limited, codes=limited.codes[positions])
    return positions[floor_rows(counts, floors, np.searchsorted(positions, first), draw, limited)]


def _images_with(table: FeatureTable, rows: IntArray) -> IntArray:
    """Return (C,) the number of images with a box of each class. Only the images in `rows` are counted."""
    return images_of_classes(table.dataset.sparse_class_counts[table.rows[rows]])


def _by_name(dataset: DetectionDataset, values: IntArray, floors: IntArray) -> dict[str, int]:
    """Return the values of the classes that have a floor, keyed by the names of the classes."""
    return {name: int(values[c]) for c, name in enumerate(dataset.class_names) if floors[c]}


def _missed(
    table: FeatureTable, floors: IntArray, reached: IntArray, positions: IntArray, max_per_group: int | None
) -> str:
    """Return a warning that names the classes below their floor and the reasons.

    The warning is an empty string if every class reaches its floor.
    """
    of_all, left = _images_with(table, np.arange(len(table))), _images_with(table, positions)
    reasons: dict[str, list[str]] = {}
    for c in np.flatnonzero(reached < floors).tolist():
        if reached[c] == of_all[c]:
            why = "because no more images have them"
        elif reached[c] == left[c]:
            why = "because their other images are duplicates"
        else:
            why = f"because of max_per_group={max_per_group}"
        reasons.setdefault(why, []).append(f"{table.dataset.class_names[c]} ({reached[c]} of {floors[c]})")
    more = {why: f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN) for why, names in reasons.items()}
    return " ".join(
        f"Classes below class_floor {why}: {', '.join(names[:_SHOWN])}{more[why]}." for why, names in reasons.items()
    )


def _check_room(k: int, named: int, reserved: int) -> None:
    """Raise InputError if more than `k` images have to be kept before the method chooses."""
    if named + reserved <= k:
        return
    parts = " and ".join(
        [f"{counted(named, 'image is', 'images are')} named (must_keep, initial)"] * bool(named)
        + [f"class_floor needs {counted(reserved, 'image')}"] * bool(reserved)
    )
    raise InputError(f"{counted(k, 'image')} should be kept, but {parts}. Keep at least {named + reserved}.")
