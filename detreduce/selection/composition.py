"""What comes before a method chooses: duplicates out, named images in, a floor for every class."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.dataset.groups import assign_groups
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.display.progress import step
from detreduce.duplicates.files import identical_files
from detreduce.duplicates.search import (
    Duplicates,
    check_threshold,
    draw_by_id,
    exact_duplicates,
    near_duplicates,
    pair_to_dict,
)
from detreduce.errors import DetreduceWarning, InputError, nearest
from detreduce.features.table import FeatureTable
from detreduce.reducers.engine.groups import Groups, make_groups
from detreduce.selection.floors import floor_rows

EXACT, BOXES = "exact", "boxes"
# classes that a warning names
_SHOWN = 5
IntArray = npt.NDArray[np.int64]
DropDuplicates = bool | float | str | Duplicates
ClassFloor = int | Mapping[str, int]


@dataclass(frozen=True)
class Composition:
    """What a method is to choose from, and what is chosen already.

    Attributes
    ----------
    table
        The images left to choose from.
    positions
        (m,) int64: their rows in the table that was given.
    images
        Rows of the table that was given.
    first
        Rows of `table` that are kept before the method chooses, in order.
    steps
        What was done, in order; JSON-able.
    duplicates
        What is known of duplicates; JSON-able.
    """

    table: FeatureTable
    positions: IntArray
    images: int
    first: IntArray
    steps: tuple[Mapping[str, Any], ...]
    duplicates: Mapping[str, Any]

    def left(self, values: Any, name: str) -> Any:
        """Of one value for each row of the table that was given, those of the images that are left."""
        if values is None or len(self.positions) == self.images:
            return values
        array = np.asarray(values)
        if array.shape[:1] != (self.images,):
            raise InputError(f"{name} has shape {array.shape}; one value an image is needed: ({self.images},).")
        return array[self.positions]


def compose(
    table: FeatureTable,
    k: int,
    *,
    drop_duplicates: DropDuplicates = False,
    must_keep: Iterable[str | int] | None = None,
    initial: Sequence[ImageId] = (),
    class_floor: ClassFloor | None = None,
    groups: Any = None,
    max_per_group: int | None = None,
    seed: int = 0,
    cache: str | Path | None = None,
) -> Composition:
    """Drop duplicates, take the images of `must_keep` and `initial`, then reserve the floor of each class.

    Images that are named are never dropped, and those of the floors keep to `max_per_group` of the `groups`. Raises
    InputError where an option cannot be used, an image is not there, or more than `k` images would be kept before the
    method chooses, or fewer are left than `k`; warns where a class is left below its floor.
    """
    check_drop_duplicates(drop_duplicates)
    _check_found(table.dataset, drop_duplicates)
    floors = class_floors(table.dataset, class_floor)
    named, earlier = _named_rows(table, must_keep, initial)
    first = np.concatenate([named, earlier])
    _check_room(k, len(first), 0)
    steps: list[Mapping[str, Any]] = []
    with step("looking for duplicates"):
        found = find_duplicates(table, drop_duplicates, _ids(table, first), seed, cache)
        report = _report(table, found)
    positions = np.arange(len(table), dtype=np.int64)
    if found is not None:
        positions = _without(table, found, set(first.tolist()))
        steps.append({"step": "drop_duplicates", "what": _looked_for(found), "dropped": len(table) - len(positions)})
    if k > len(positions):
        raise InputError(
            f"{k} images are to be kept, but {len(positions)} of {len(table)} are left without duplicates: "
            f"keep at most {len(positions)}."
        )
    for what, rows in (("must_keep", named), ("initial", earlier)):
        if len(rows):
            steps.append({"step": what, "images": _ids(table, rows)})
    if floors is not None:
        limited = make_groups(groups, max_per_group, len(table))
        if limited is not None:
            limited.check(k, first)
        reserved = _reserve(table, floors, first, positions, seed, limited)
        _check_room(k, len(first), len(reserved))
        first, images = np.concatenate([first, reserved]), _ids(table, reserved)
        reached = _images_with(table, first)
        steps.append(
            {
                "step": "class_floor",
                "floor": _by_name(table.dataset, floors, floors),
                "reached": _by_name(table.dataset, reached, floors),
                "images": images,
            }
        )
        if missed := _missed(table, floors, reached, positions, max_per_group):
            warnings.warn(missed, DetreduceWarning, stacklevel=3)
    kept = table if len(positions) == len(table) else table.take(positions)
    return Composition(kept, positions, len(table), np.searchsorted(positions, first), tuple(steps), report)


def find_duplicates(
    table: FeatureTable,
    wanted: DropDuplicates | None,
    prefer: Iterable[ImageId] = (),
    seed: int = 0,
    cache: str | Path | None = None,
) -> Duplicates | None:
    """What a `drop_duplicates` asks for, or None where it asks for nothing; see `detreduce.select`."""
    check_drop_duplicates(wanted)
    if isinstance(wanted, Duplicates):
        return wanted
    if wanted is None or wanted is False:
        return None
    if wanted == BOXES:
        return near_duplicates(table, by="boxes", prefer=prefer, seed=seed, cache=cache)
    if isinstance(wanted, str):
        return exact_duplicates(table, prefer=prefer, seed=seed, cache=cache)
    return near_duplicates(table, threshold=None if wanted is True else wanted, prefer=prefer, seed=seed, cache=cache)


def check_composition(
    dataset: DetectionDataset,
    k: int,
    *,
    drop_duplicates: DropDuplicates = False,
    must_keep: Iterable[str | int] | None = None,
    initial: Sequence[ImageId] = (),
    class_floor: ClassFloor | None = None,
    groups: str | None = None,
    max_per_group: int | None = None,
) -> None:
    """Raise the InputError that `detreduce.select` would raise, as far as it shows without opening an image."""
    check_drop_duplicates(drop_duplicates)
    _check_found(dataset, drop_duplicates)
    table = FeatureTable(dataset, np.arange(len(dataset), dtype=np.int64), {})
    first = np.concatenate(_named_rows(table, must_keep, initial))
    floors = class_floors(dataset, class_floor)
    found = make_groups(None if groups is None else assign_groups(dataset, groups), max_per_group, len(dataset))
    _check_room(k, len(first), 0)
    if found is not None:
        found.check(k, first)
    _check_room(k, len(first), 0 if floors is None else len(_reserve(table, floors, first, table.rows, 0, found)))


def check_drop_duplicates(value: Any) -> None:
    """Raise InputError for what `drop_duplicates` cannot be."""
    if isinstance(value, bool | Duplicates | None):
        return
    if isinstance(value, str):
        if value not in (EXACT, BOXES):
            hint = nearest(value, (EXACT, BOXES))
            raise InputError(f"drop_duplicates={value!r}: give true, a threshold, 'exact' or 'boxes'.{hint}")
        return
    check_threshold(value)


def _check_found(dataset: DetectionDataset, found: Any) -> None:
    """Raise InputError where duplicates that were found before name images that the dataset does not have."""
    pairs = found.pairs if isinstance(found, Duplicates) else ()
    unknown = [image for pair in pairs for image in (pair.copy, pair.kept) if image not in dataset.row_of]
    if unknown:
        raise InputError(
            f"drop_duplicates names the image {unknown[0]!r}, which {dataset.source.path} does not have: "
            "give what was found on this dataset."
        )


def check_class_floor(value: Any) -> None:
    """Raise InputError for what `class_floor` cannot be on any dataset."""
    counts = value.values() if isinstance(value, Mapping) else [] if value is None else [value]
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, numbers.Integral) or count < 0:
            raise InputError(f"class_floor={value!r}: give a number of images of at least 0, or one for each class.")


def class_floors(dataset: DetectionDataset, value: ClassFloor | None) -> IntArray | None:
    """(C,) images to keep of each class; None where there is no floor. Classes of one name have it each."""
    check_class_floor(value)
    if value is None:
        return None
    if value and not dataset.labelled:
        raise InputError(f"class_floor needs boxes, and {dataset.source.path} has no labels: leave it out.")
    if not isinstance(value, Mapping):
        return np.full(len(dataset.class_names), value, np.int64)
    unknown = [name for name in value if name not in dataset.class_names]
    if unknown:
        hint = nearest(str(unknown[0]), dataset.class_names)
        raise InputError(f"class_floor names the class {unknown[0]!r}, which the dataset does not have.{hint}")
    return np.array([value.get(name, 0) for name in dataset.class_names], np.int64)


def read_names(file: Path) -> list[str]:
    """The image names in a text file, one a line; raises InputError where it cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The list {file} cannot be read: {error}.") from error
    return [line.strip() for line in lines if line.strip()]


def image_rows(table: FeatureTable, wanted: Sequence[str | int]) -> IntArray:
    """Rows of the table for images given by id or name, each once; InputError for those it has not."""
    if not wanted:
        return np.empty(0, np.int64)
    rows_of: dict[str, list[int]] = {}
    row_of: dict[ImageId, int] = {}
    for row, dataset_row in enumerate(table.rows):
        record = table.dataset[int(dataset_row)]
        row_of[record.id] = row
        for name in {record.name, str(record.id)}:
            rows_of.setdefault(name, []).append(row)
    found = []
    for item in wanted:
        rows = [row_of[item]] if item in row_of else rows_of.get(str(item), [])
        if not rows and str(item) in _left_out(table):
            raise InputError(f"The image {item!r} that is to be kept could not be read: mend it or leave it out.")
        if not rows:
            hint = nearest(str(item), rows_of)
            raise InputError(f"The image {item!r} that is to be kept is not among those to choose from.{hint}")
        if len(rows) > 1:
            ids = ", ".join(repr(table.dataset[int(table.rows[row])].id) for row in rows[:3])
            raise InputError(f"{len(rows)} images are called {item!r}; name the one to be kept by its id: {ids}.")
        found.append(rows[0])
    return np.array(list(dict.fromkeys(found)), np.int64)


def _left_out(table: FeatureTable) -> set[str]:
    """Names and ids of the dataset's images that the table has no row of."""
    rows = np.setdiff1d(np.arange(len(table.dataset)), table.rows)
    return {name for row in rows.tolist() for name in (table.dataset[row].name, str(table.dataset[row].id))}


def _named_rows(
    table: FeatureTable, must_keep: Iterable[str | int] | None, initial: Sequence[ImageId]
) -> tuple[IntArray, IntArray]:
    """Rows of the images that must be kept, and of those of an earlier selection that are not among them."""
    named = image_rows(table, [must_keep] if isinstance(must_keep, str) else list(must_keep or ()))
    lost = _left_out(table) if initial else set()
    there = [item for item in initial if str(item) not in lost]
    if len(there) < len(initial):
        warnings.warn(
            f"{len(initial) - len(there)} images of the earlier selection could not be read; they are left out.",
            DetreduceWarning,
            stacklevel=4,
        )
    earlier = image_rows(table, there)
    return named, earlier[~np.isin(earlier, named)]


def _reserve(
    table: FeatureTable,
    floors: IntArray,
    first: IntArray,
    positions: IntArray,
    seed: int,
    groups: Groups | None = None,
) -> IntArray:
    present = table.dataset.class_counts[table.rows[positions]] > 0
    draw = draw_by_id(_ids(table, positions), seed, "class floor")
    limited = groups if groups is not None and groups.most is not None else None
    if limited is not None:
        limited = replace(limited, codes=limited.codes[positions])
    return positions[floor_rows(present, floors, np.searchsorted(positions, first), draw, limited)]


def _images_with(table: FeatureTable, rows: IntArray) -> IntArray:
    """(C,) images of each class among rows of the table."""
    found: IntArray = (table.dataset.class_counts[table.rows[rows]] > 0).sum(axis=0)
    return found


def _by_name(dataset: DetectionDataset, values: IntArray, floors: IntArray) -> dict[str, int]:
    """Class name -> value, of the classes that have a floor."""
    return {name: int(values[c]) for c, name in enumerate(dataset.class_names) if floors[c]}


def _missed(
    table: FeatureTable, floors: IntArray, reached: IntArray, positions: IntArray, max_per_group: int | None
) -> str:
    """Which classes are below their floor, and why; empty where none is."""
    of_all, left = _images_with(table, np.arange(len(table))), _images_with(table, positions)
    reasons: dict[str, list[str]] = {}
    for c in np.flatnonzero(reached < floors).tolist():
        if reached[c] == of_all[c]:
            why = "for lack of images"
        elif reached[c] == left[c]:
            why = "as other images are duplicates"
        else:
            why = f"within max_per_group={max_per_group}"
        reasons.setdefault(why, []).append(f"{table.dataset.class_names[c]} ({reached[c]} of {floors[c]})")
    more = {why: f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN) for why, names in reasons.items()}
    return " ".join(
        f"Below the class floor {why}: {', '.join(names[:_SHOWN])}{more[why]}." for why, names in reasons.items()
    )


def _without(table: FeatureTable, found: Duplicates, named: set[int]) -> IntArray:
    """Rows that are left: those that are named, and those that no image of the table stands for."""
    ids = _ids(table, np.arange(len(table)))
    there = set(ids)
    redundant = {pair.copy for pair in found.pairs if pair.kept in there}
    return np.array([row for row, image in enumerate(ids) if row in named or image not in redundant], np.int64)


def _report(table: FeatureTable, found: Duplicates | None) -> dict[str, Any]:
    """What was looked for and the pairs that were found; identical files are looked for in any case."""
    if found is not None:
        pairs = [pair_to_dict(pair) for pair in found.pairs]
        return {"looked_for": _looked_for(found), "pairs": pairs, **found.provenance}
    groups = identical_files([table.dataset[row].path for row in table.rows.tolist()])
    pairs = [
        {"copy": copy, "kept": kept, "similarity": 1.0, "transformation": "same way up", "exact": True}
        for group in groups
        for kept, *copies in [_ids(table, np.array(group))]
        for copy in copies
    ]
    return {"looked_for": "identical files", "pairs": pairs}


def _looked_for(found: Duplicates) -> str:
    return "equal content" if found.by == "content" else f"near-duplicates by {found.by} from {found.threshold:g}"


def _check_room(k: int, named: int, reserved: int) -> None:
    if named + reserved <= k:
        return
    parts = " and ".join(
        [f"{named} are named"] * bool(named) + [f"{reserved} fill the floor of the classes"] * bool(reserved)
    )
    raise InputError(f"{k} images are to be kept, but {parts}: keep at least {named + reserved}.")


def _ids(table: FeatureTable, rows: IntArray) -> list[ImageId]:
    return [table.dataset[row].id for row in table.rows[rows].tolist()]
