"""Write a subset in a format that stores all annotations of a split in one file (COCO, CVAT, Label Studio)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from detreduce.dataset.formats.format import Reload
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.records import DetectionDataset, ImageRecord, Source, SplitSource
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.dataset_yaml import DATA_YAML, OWN_FILES, write_dataset_yaml
from detreduce.dataset.writing.links import Placer
from detreduce.display.progress import progress
from detreduce.errors import InputError


@dataclass(frozen=True)
class AnnotatedFormat:
    """The functions of a format that `write_annotated` calls.

    Attributes
    ----------
    load
        Loads one split of a source.
    filtered
        Yields the content of an annotation file, in pieces, with only the images of the given records.
    inside
        The names of the splits that share one annotation file. They share one file in the output too.
    """

    load: Callable[[Source, str], DetectionDataset]
    filtered: Callable[[Path, Iterable[ImageRecord]], Iterable[bytes]]
    inside: frozenset[str] = frozenset()


def refuse_lists(choice: Choice, placer: Placer) -> None:
    """Raise InputError if link='list', because the annotation file needs its images next to it."""
    if placer.link == "list":
        raise InputError(
            f"link='list' cannot be used for {choice.dataset.source.path.name}: this file needs its images next to it. "
            "Use symlink (takes no disk space), hardlink or copy."
        )


def write_annotated(choice: Choice, placer: Placer, target: Path, how: AnnotatedFormat) -> Reload:
    """Write the annotation files, the images and a data.yaml. Return a function that loads the reduced split.

    The files are written by `placer` to a temporary folder, which the caller then renames to `target`. If all images
    are chosen, the annotation file is copied byte for byte, except for the byte-order mark of a JSON file. With
    link='list', no images are written, and the data.yaml names the original images folders.
    """
    source, own = choice.dataset.source, choice.dataset.split
    places = mirror_annotated(source)
    splits = choice.load_records()
    entries: dict[str, dict[str, str]] = {}
    written: dict[str, SplitSource] = {}
    for split, records in splits.items():
        new = split in choice.held_out
        old = source.splits[own if new else split]
        if old.annotations is None:
            raise InputError(
                f"{source.path}: the {split} split has no annotations. Add 'annotations: ...' for this split."
            )
        relative, folder = places[old.annotations], places[old.images[0]]
        together = {split, own} <= how.inside and old.annotations == source.splits[own].annotations
        if new:
            relative = _place_of_new(relative, own, split, {*places.values(), *placer.placed})
            placer.write_pieces(relative, how.filtered(old.annotations, records))
        elif split == own and not choice.everything:
            relative = _place_of_reduced(choice, how, relative, list(splits), set(places.values()))
            placer.write_pieces(relative, how.filtered(old.annotations, records))
        elif split == own or not together:
            # remove the byte-order mark of a JSON file, because pycocotools cannot read it
            mark = codecs.BOM_UTF8 if old.annotations.suffix.lower() == ".json" else b""
            placer.copy(old.annotations, relative, without=mark)
        images = str(folder)
        if placer.link == "list":
            images = str(absolute(old.images[0]))
        else:
            _place_images(records, folder, placer)
        entries[split] = {"annotations": str(relative), "images": images}
        # if `images` is an absolute path, joining does not change it
        written[split] = SplitSource((absolute(target / images),), target / relative)
    write_dataset_yaml(placer, source.format, entries)
    return partial(how.load, Source(source.format, target / DATA_YAML, target, written), own)


def mirror_annotated(source: Source) -> dict[Path, PurePosixPath]:
    """Return the relative path in the output for each annotation file and each images folder of a source.

    There are three cases:

    - If everything is below the root, all paths in the output are relative to the root.
    - If everything else is directly in the parent folder of the root, all paths are relative to this parent folder.
    - Otherwise, only paths below the root are relative to the root. An images folder outside the root becomes
      ``images``, or ``images/<name>`` if there are several. An annotation file outside the root becomes
      ``annotations/<name>``.

    If a path is already in use, a number is added.
    """
    files = [split.annotations for split in source.splits.values() if split.annotations is not None]
    folders = list(dict.fromkeys(split.images[0] for split in source.splits.values()))
    root = absolute(source.root)
    elsewhere = [path for path in map(absolute, [*files, *folders]) if not path.is_relative_to(root)]
    base = root.parent if elsewhere and all(path.parent == root.parent for path in elsewhere) else root
    places: dict[Path, PurePosixPath] = {}
    taken: set[PurePosixPath] = set(OWN_FILES)
    outside = [folder for folder in folders if not absolute(folder).is_relative_to(base)]
    for path in dict.fromkeys([*files, *folders]):
        if absolute(path).is_relative_to(base):
            place = PurePosixPath(absolute(path).relative_to(base).as_posix())
        elif path in folders:
            place = PurePosixPath("images") if len(outside) == 1 else PurePosixPath("images", path.name)
        else:
            place = PurePosixPath("annotations", path.name)
        places[path] = _free(place, taken)
        taken.add(places[path])
    return places


def _free(place: PurePosixPath, taken: Iterable[PurePosixPath]) -> PurePosixPath:
    """Return a path in the output that is not in use: `place`, or `place` with a number."""
    names, count, free = set(taken), 1, place
    while free in names:
        count += 1
        free = place.with_name(f"{place.stem}-{count}{place.suffix}")
    return free


def _place_of_reduced(
    choice: Choice, how: AnnotatedFormat, place: PurePosixPath, splits: Iterable[str], taken: Iterable[PurePosixPath]
) -> PurePosixPath:
    """Return the path in the output for the annotation file of the reduced split.

    Another split may use the same annotation file. Then the original file is written unchanged for the other split. The
    reduced split gets a file of its own, for example ``labels-train.json`` next to ``labels.json``.
    """
    source, own = choice.dataset.source.splits, choice.dataset.split
    sharing = [
        split
        for split in splits
        if split in source
        and split != own
        and source[split].annotations == source[own].annotations
        and not {split, own} <= how.inside
    ]
    return _free(place.with_name(f"{place.stem}-{own}{place.suffix}"), {*taken, *OWN_FILES}) if sharing else place


def _place_of_new(place: PurePosixPath, own: str, split: str, taken: Iterable[PurePosixPath]) -> PurePosixPath:
    """Return the path in the output for the annotation file of a new split.

    For example, it is ``instances_val2017.json`` if the file of the split `own` is ``instances_train2017.json``.
    """
    stem, named = re.subn(rf"(?<![a-z]){own}(?![a-z])", split, place.stem, count=1, flags=re.IGNORECASE)
    stem = stem if named else f"{stem}-{split}"
    return _free(place.with_name(f"{stem}{place.suffix}"), {*taken, *OWN_FILES})


def _place_images(records: Iterable[ImageRecord], folder: PurePosixPath, placer: Placer) -> None:
    listed = list(records)
    with progress("Writing images", len(listed), "images") as advance:
        for record in listed:
            placer.image(record.path, folder / record.name)
            advance()
    placer.make_folder(folder)
