"""Write a Pascal VOC subset: copies of XML files, links to the chosen images, and lists without the other images."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from detreduce.dataset.formats.format import Reload
from detreduce.dataset.formats.voc.layout import voc_layout
from detreduce.dataset.formats.voc.read import list_files, load_voc, stems_in_line
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.paths.outside import Extras
from detreduce.dataset.reading.text_lines import decode_list, is_utf16, text_lines
from detreduce.dataset.records import DetectionDataset, ImageRecord, Source, SplitSource
from detreduce.dataset.splits import CANONICAL
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.dataset_yaml import DATA_YAML, write_dataset_yaml
from detreduce.dataset.writing.links import Placer
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.machine.untrusted.regular_files import LISTS as LISTS_LIMIT
from detreduce.machine.untrusted.regular_files import is_regular, read_regular

# the file in which CVAT lists the classes
LABEL_MAP = "labelmap.txt"
MASKS = ("SegmentationClass", "SegmentationObject")


def write_voc(choice: Choice, placer: Placer, target: Path) -> Reload:
    """Write the subset with `placer`. Return a function that loads the reduced split from `target`.

    The files are written to a temporary folder, which the caller then renames to `target`. The list of the reduced
    split and its lists for single classes (such as ``cat_train.txt``) keep the lines of the chosen images. Images that
    were not chosen are also removed from ``train``, ``trainval`` and each list that contains the whole reduced split.
    All other lists, for example of val and test, stay unchanged, and the images in them are kept. Lists outside
    ImageSets/Main keep the lines of images that are in the output.

    Raise InputError if link='list', because a VOC list cannot be loaded without the other folders.
    """
    if placer.link == "list":
        raise InputError(
            "link='list' cannot be used for a VOC folder, because a list can be loaded only "
            "if the images and annotations are in the same folder. Use symlink (takes no disk space), hardlink or copy."
        )
    source, others = choice.dataset.source, choice.load_others()
    kept = {record.name for record in choice.kept}
    removed = _find_removed(choice, others, kept)
    records = {record.name: record for record in choice.kept}
    for dataset in others.values():
        records |= {r.name: r for r in dataset if r.name not in removed and is_regular(r.path)}
    extras = Extras(source)
    _place_files(source.root, list(records.values()), extras, placer)
    if is_regular(labels := source.root / LABEL_MAP) and extras.allow_text(labels):
        placer.copy(labels, PurePosixPath(LABEL_MAP))
    _write_lists(choice, others, removed, records, extras, placer)
    if notice := extras.notice():
        warn_about_subset(notice)
    written = {}
    for split in [choice.dataset.split, *others]:
        old = source.splits[split].annotations
        folder = source.splits[split].images[0].relative_to(source.root)
        written[split] = SplitSource(
            (target / folder,), target / old.relative_to(source.root) if old is not None else None
        )
    canonical = all(split in CANONICAL and place.annotations is not None for split, place in written.items())
    # without keys, every list becomes a split; without lists, all XML files are the split train
    keys = {split: place.annotations.stem for split, place in written.items() if canonical and place.annotations}
    write_dataset_yaml(placer, "voc", keys)
    return partial(load_voc, Source("voc", target / DATA_YAML, target, written), choice.dataset.split)


def _find_removed(choice: Choice, others: Mapping[str, DetectionDataset], kept: set[str]) -> set[str]:
    """Return the names of the images that the output will not contain.

    An image is removed if it was not chosen and no unchanged split contains it.
    """
    own = {record.name for record in choice.dataset}
    unchanged: set[str] = set()
    for split, dataset in others.items():
        names = {record.name for record in dataset}
        if split in ("val", "test") or not (split in ("train", "trainval") or names >= own):
            unchanged |= names
    return own - kept - unchanged


def _place_files(root: Path, records: Sequence[ImageRecord], extras: Extras, placer: Placer) -> None:
    """Write the images, XML files and segmentation masks of the records."""
    layout = voc_layout(root)
    masks = [(folder, root / folder) for folder in MASKS if (root / folder).is_dir()]
    with progress("Writing images", len(records), "images") as advance:
        for record in records:
            placer.image(record.path, PurePosixPath(layout.images, record.name))
            if record.label_path is not None and placer.has(record.label_path):
                placer.copy(
                    record.label_path, PurePosixPath(absolute(record.label_path).relative_to(absolute(root)).as_posix())
                )
            for folder, place in masks:
                name = PurePosixPath(record.name).with_suffix(".png")
                if is_regular(place / name) and extras.allow_image(place / name):
                    placer.image(place / name, folder / name)
            advance()
    placer.make_folder(PurePosixPath(layout.images))
    placer.make_folder(PurePosixPath(layout.notes))


def _write_lists(
    choice: Choice,
    others: Mapping[str, DetectionDataset],
    removed: set[str],
    records: Mapping[str, ImageRecord],
    extras: Extras,
    placer: Placer,
) -> None:
    """Write all lists below ImageSets. `records` contains the images in the output by name."""
    source, kept = choice.dataset.source, {record.name for record in choice.kept}
    own = source.splits[choice.dataset.split].annotations
    image_of = _images_by_stem([choice.dataset, *others.values()], source.root)

    def is_kept(line: str) -> bool:
        """Return whether the image in a line was chosen."""
        return _find_image(line, layout.images, image_of) in kept

    def is_not_removed(line: str) -> bool:
        """Return whether the image in a line stays in the dataset."""
        return _find_image(line, layout.images, image_of) not in removed

    def is_in_output(line: str) -> bool:
        """Return whether the image in a line is in the output."""
        return _find_image(line, layout.images, image_of) in records

    layout = voc_layout(source.root)
    mains = set(list_files(source.root))
    for file in sorted((source.root / layout.lists).parent.rglob("*.txt")):
        place = PurePosixPath(file.relative_to(source.root).as_posix())
        test: Callable[[str], bool]
        if file not in mains:
            test = is_in_output
        elif own is not None and (file == own or file.stem.endswith(f"_{own.stem}")):
            test = is_kept
        else:
            test = is_not_removed
        if not is_regular(file):
            continue
        if not extras.allow_text(file):
            # the text may not be copied as a whole, so keep only the lines that name images
            placer.write(place, filter_lines(read_regular(file, LISTS_LIMIT), is_in_output))
        elif choice.everything:
            placer.copy(file, place)
        else:
            placer.write(place, filter_lines(read_regular(file, LISTS_LIMIT), test))


def filter_lines(content: bytes, wanted: Callable[[str], bool]) -> bytes:
    """Return the content with only the `wanted` lines and the blank lines, which stay unchanged."""
    if is_utf16(content):
        kept = [line for line in text_lines(content) if not line.strip() or wanted(line)]
        return "".join(kept).encode("utf-16")
    lines = content.splitlines(keepends=True)
    texts = [decode_list(line).strip() for line in lines]
    return b"".join(line for line, text in zip(lines, texts, strict=True) if not text or wanted(text))


def _images_by_stem(datasets: Sequence[DetectionDataset], root: Path) -> dict[str, str]:
    """Map each path without suffix (stem) that a list can contain to the name of its image.

    The stem is the path of an XML file or of an image. If an XML file and another image have the same stem, the image
    of the XML file is used.
    """
    stems: dict[str, str] = {}
    notes = voc_layout(root).notes
    for dataset in datasets:
        for record in dataset:
            stems.setdefault(os.path.splitext(record.name)[0], record.name)  # noqa: PTH122
    for dataset in datasets:
        for record in dataset:
            if record.label_path is not None:
                stem = record.label_path.relative_to(root / notes).with_suffix("").as_posix()
                stems[stem] = record.name
    return stems


def _find_image(line: str, images: str, image_of: Mapping[str, str]) -> str | None:
    """Return the name of the image that a line of a list refers to, or None.

    `images` is the name of the images folder.
    """
    return next((image_of[stem] for stem in stems_in_line(line, images) if stem in image_of), None)
