"""Write merged COCO datasets as COCO: one JSON file for each split, with all fields of images and annotations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from detreduce.dataset.formats.coco.ids import known_id
from detreduce.dataset.joined_classes import JoinedClasses, join_classes
from detreduce.dataset.merging.images import Member, Plan
from detreduce.dataset.records import ImageId
from detreduce.dataset.splits import in_order
from detreduce.dataset.writing.dataset_yaml import write_dataset_yaml
from detreduce.dataset.writing.json_text import read_text, to_bytes
from detreduce.dataset.writing.links import Placer
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.display.numbers import counted
from detreduce.display.progress import progress
from detreduce.errors import InputError

_LISTS = ("images", "annotations", "categories", "licenses")


class Ids:
    """Gives out unique ids. An id that is already in use is replaced by the next free whole number."""

    def __init__(self) -> None:
        self._taken: set[Any] = set()
        self._next = 1

    def take(self, wanted: Any) -> Any:
        """Return `wanted` if this id is valid and not in use. Otherwise return a new id."""
        if not isinstance(wanted, int | str) or isinstance(wanted, bool) or wanted in self._taken:
            while self._next in self._taken:
                self._next += 1
            wanted = self._next
        self._taken.add(wanted)
        return wanted

    def reserve(self, ids: Iterable[Any]) -> None:
        """Make all new ids larger than `ids`. So the elements that have these ids can keep them."""
        numbers = [one for one in ids if isinstance(one, int) and not isinstance(one, bool)]
        self._next = max([self._next, *(number + 1 for number in numbers)])


@dataclass
class _Merged:
    """The content of one merged JSON file, and the ids that have been given out for it."""

    content: dict[str, Any] = field(default_factory=dict)
    images: Ids = field(default_factory=Ids)
    annotations: Ids = field(default_factory=Ids)
    licences: Ids = field(default_factory=Ids)


def write_merged_coco(plan: Plan, placer: Placer) -> None:
    """Write the images, one JSON file for each split, and a data.yaml.

    The ids of images, annotations, categories and licences are kept, unless an earlier dataset uses them. Categories
    are matched by name. Raise InputError if two categories with the same name have different keypoints, or if the
    classes cannot be matched.
    """
    classes = join_classes({part.name: part.dataset for part in plan.parts})
    if classes.spelling_notice:
        warn_about_subset(classes.spelling_notice)
    contents = [_read(part.dataset.source.splits[part.dataset.split].annotations) for part in plan.parts]
    categories, category_ids = _merge_categories(plan, contents, classes)
    splits = in_order(plan.shown)
    entries: dict[str, dict[str, str]] = {}
    with progress("Writing images", sum(map(len, splits.values())), "images") as advance:
        for split, members in splits.items():
            merged = _Merged({"info": {}, "licenses": [], "categories": categories, "images": [], "annotations": []})
            used = [*members, *map(plan.labels, members)]
            for number in dict.fromkeys(member.part for member in used):
                merged.images.reserve(_ids(contents[number], "images"))
                merged.annotations.reserve(_ids(contents[number], "annotations"))
            new_id = _add_images(plan, split, contents, merged)
            _add_annotations(plan, members, contents, category_ids, merged, new_id)
            file = PurePosixPath("annotations", f"instances_{split}.json")
            placer.write(file, to_bytes(json.dumps(merged.content, ensure_ascii=False) + "\n"))
            folder = PurePosixPath("images", split)
            for member, place in zip(members, plan.places[split], strict=True):
                placer.image(plan.record(member).path, place)
                advance()
            entries[split] = {"annotations": str(file), "images": str(folder)}
    write_dataset_yaml(placer, "coco", entries)


def _read(file: Path | None) -> dict[str, Any]:
    """Return the whole content of a COCO JSON file, including polygons."""
    assert file is not None, "a COCO split has annotations"
    content = json.loads(read_text(file))
    return content if isinstance(content, dict) else {}


def _entries(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the objects in a list of the JSON file."""
    return [entry for entry in content.get(key) or [] if isinstance(entry, dict)]


def _by_id(content: Mapping[str, Any], key: str) -> dict[Any, dict[str, Any]]:
    """Return the objects in a list of the JSON file, keyed by id. Objects whose id cannot be a key are left out."""
    return {
        entry.get("id"): entry for entry in _entries(content, key) if isinstance(entry.get("id"), int | float | str)
    }


def _ids(content: Mapping[str, Any], key: str) -> Iterable[Any]:
    """Return the ids of the objects in a list of the JSON file."""
    return (entry.get("id") for entry in _entries(content, key))


def _merge_categories(
    plan: Plan, contents: Sequence[Mapping[str, Any]], classes: JoinedClasses
) -> tuple[list[dict[str, Any]], list[dict[ImageId, ImageId]]]:
    """Return the merged categories, and one mapping for each split of each dataset.

    The mapping gives the new id of a category for its old id.
    """
    taken = Ids()
    taken.reserve(key for part in plan.parts for key in part.dataset.class_keys)
    merged: dict[int, dict[str, Any]] = {}
    owner: dict[int, str] = {}
    found = []
    for part, content in zip(plan.parts, contents, strict=True):
        by_id = _by_id(content, "categories")
        new_ids: dict[ImageId, ImageId] = {}
        for key, number in zip(part.dataset.class_keys, classes.numbers[part.name], strict=True):
            entry = by_id.get(key, {"id": key, "name": str(key)})
            if number not in merged:
                merged[number] = {**entry, "id": taken.take(key)}
                owner[number] = part.name
            elif merged[number].get("keypoints") != entry.get("keypoints"):
                raise InputError(
                    f"The category {entry.get('name')!r} has other keypoints in {part.name} than in {owner[number]}, "
                    "so the datasets cannot be merged. Rename the category in one of them."
                )
            new_ids[key] = merged[number]["id"]
        found.append(new_ids)
    return list(merged.values()), found


def _add_images(
    plan: Plan, split: str, contents: Sequence[Mapping[str, Any]], merged: _Merged
) -> dict[Member, ImageId]:
    """Add the images of a split and their licences. Return the id of each image in the merged file."""
    folder = PurePosixPath("images", split)
    members, found = plan.shown[split], {}
    by_id = {number: _by_id(contents[number], "images") for number in {member.part for member in members}}
    licences = {number: _add_licences(contents[number], merged) for number in sorted(by_id)}
    _add_other_keys(plan, [contents[number] for number in sorted(by_id)], sorted(by_id), merged)
    for member, place in zip(members, plan.places[split], strict=True):
        key = plan.record(member).id
        entry = dict(by_id[member.part][key])
        found[member] = entry["id"] = merged.images.take(key)
        name = str(place.relative_to(folder))
        if entry.get("file_name") != name:
            entry["file_name"] = name
        licence = entry.get("license")
        if isinstance(licence, int | str) and licence in licences[member.part]:
            entry["license"] = licences[member.part][licence]
        merged.content["images"].append(entry)
    return found


def _add_licences(content: Mapping[str, Any], merged: _Merged) -> dict[Any, Any]:
    """Add the licences of a JSON file to the merged file. Return a mapping from their old ids to their new ids.

    A licence that the merged file already contains is not added again.
    """
    found: dict[Any, Any] = {}
    for entry in _entries(content, "licenses"):
        key = entry.get("id")
        if not isinstance(key, int | str):
            continue
        bare = {**entry, "id": None}
        same = [one for one in merged.content["licenses"] if {**one, "id": None} == bare]
        if same:
            found[key] = same[0]["id"]
        else:
            found[key] = merged.licences.take(key)
            merged.content["licenses"].append({**entry, "id": found[key]})
    return found


def _add_other_keys(plan: Plan, contents: Sequence[Mapping[str, Any]], numbers: Sequence[int], merged: _Merged) -> None:
    """Add all other keys of the files, such as ``info``.

    If several files have the same key, the first value is used.
    """
    for number, content in zip(numbers, contents, strict=True):
        for key, value in content.items():
            if key in _LISTS:
                continue
            if merged.content.get(key) and merged.content[key] != value and key != "info":
                part = plan.parts[number]
                warn_about_subset(f"{part.name}: {key!r} differs from the first dataset's, whose value is written.")
            if not merged.content.get(key):
                merged.content[key] = value


def _add_annotations(
    plan: Plan,
    members: Sequence[Member],
    contents: Sequence[Mapping[str, Any]],
    category_ids: Sequence[Mapping[ImageId, ImageId]],
    merged: _Merged,
    new_id: Mapping[Member, ImageId],
) -> None:
    """Add the annotations of a split, in the order of the files."""
    unknown = 0
    wanted: dict[int, dict[ImageId, list[Member]]] = {}
    for member in members:
        source = plan.labels(member)
        wanted.setdefault(source.part, {}).setdefault(plan.record(source).id, []).append(member)
    for number in sorted(wanted):
        ids = category_ids[number]
        known = set(plan.parts[number].dataset.row_of)
        for entry in _entries(contents[number], "annotations"):
            for member in wanted[number].get(known_id(entry.get("image_id"), known), ()):
                category = known_id(entry.get("category_id"), ids)
                if category not in ids:
                    unknown += 1
                    continue
                own = {"id": merged.annotations.take(entry.get("id")), "image_id": new_id[member]}
                merged.content["annotations"].append({**entry, **own, "category_id": ids[category]})
    if unknown:
        warn_about_subset(f"{counted(unknown, 'annotation')} left out: the file does not list the category.")
