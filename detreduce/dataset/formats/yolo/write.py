"""Write a YOLO subset: copies of labels, links to images, and a data.yaml in which only the paths are changed."""

from __future__ import annotations

import codecs
import posixpath
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from detreduce.dataset.formats.format import Reload
from detreduce.dataset.formats.yolo.class_files import check_class_files, class_file_problems
from detreduce.dataset.formats.yolo.data_yaml import Change, edit_data_yaml, load_mapping
from detreduce.dataset.formats.yolo.exports import as_data_yaml, is_yolo_export, list_other_files, read_yolo_description
from detreduce.dataset.formats.yolo.lists import listed_places
from detreduce.dataset.formats.yolo.masks import KEY as MASKS_KEY
from detreduce.dataset.formats.yolo.masks import mask_places, masks_folder
from detreduce.dataset.formats.yolo.mirror import Mirror, label_place, make_mirror
from detreduce.dataset.formats.yolo.read import load_yolo
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.paths.outside import Extras
from detreduce.dataset.reading.description import read_description
from detreduce.dataset.reading.text_lines import text_lines
from detreduce.dataset.records import IMAGE_SUFFIXES, DetectionDataset, ImageRecord, Source
from detreduce.dataset.splits import canonical_split
from detreduce.dataset.suggested_command import split_command
from detreduce.dataset.writing.choice import Choice, readable_records
from detreduce.dataset.writing.dataset_yaml import DATA_YAML
from detreduce.dataset.writing.links import Placer
from detreduce.dataset.writing.list_lines import utf8_line
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.display.progress import progress
from detreduce.machine.untrusted.regular_files import LISTS, YAMLS, is_regular, read_regular


def write_yolo(choice: Choice, placer: Placer, target: Path, *, trainable: bool = False) -> Reload:
    """Write the subset with `placer`. Return a function that loads the reduced split from `target`.

    The files are written to a temporary folder, which the caller then renames to `target`. The output has the same
    layout as the original dataset. With link='list', no image is linked or copied; a list and a data.yaml point to the
    original images instead. Ultralytics needs a train and a val split. If one of them is missing and `trainable` is
    True, the data.yaml names another split in its place.
    """
    _check_class_files(choice)
    if placer.link == "list":
        _write_lists(choice, placer)
    else:
        _write_files(choice, placer, target, trainable=trainable)
    return partial(load_data_yaml, target / DATA_YAML, choice.dataset.split)


def _check_class_files(choice: Choice) -> None:
    """Raise InputError if class files next to the labels contradict each other.

    Warn if a class file contradicts the data.yaml.
    """
    source, names = choice.dataset.source, choice.dataset.class_names
    places = [place for split in source.splits.values() for place in split.images]
    check_class_files(source.path, source.root, places, names)
    for problem in class_file_problems(source.path, source.root, places, names):
        warn_about_subset(str(problem))


def load_data_yaml(file: Path, split: str) -> DetectionDataset:
    """Load one split of a data.yaml. Raise the same errors as `load_yolo`."""
    return load_yolo(read_description(file), split)


def _write_files(choice: Choice, placer: Placer, target: Path, *, trainable: bool) -> None:
    """Write the images and labels of all splits, and the data.yaml."""
    source, splits = choice.dataset.source, choice.load_records()
    if trainable:
        splits = {split: readable_records(split, records) for split, records in splits.items()}
        # leave out empty splits, because ultralytics refuses a split without images
        splits = {split: records for split, records in splits.items() if records or split == choice.dataset.split}
    masks, extras = _find_masks(source), Extras(source)
    mirror = make_mirror(source.root, [r.path for records in splits.values() for r in records], target)
    with progress("Writing images", sum(map(len, splits.values())), "images") as advance:
        for records in splits.values():
            for record in records:
                _place_files(record, mirror, masks, extras, placer)
                advance()
    # a new split shares the folders of the split that it is taken from, so it gets a list
    places = {split: () if split in choice.held_out else source.splits[split].images for split in splits}
    entries = {split: _make_entries(places[split], split, splits, mirror, extras, placer) for split in splits}
    for needed in ("train", "val"):
        if needed not in entries and trainable:
            entries[needed] = (
                entries["test"] if needed == "val" and "test" in entries else entries[choice.dataset.split]
            )
        elif needed not in entries and not choice.held_out:
            advice = f" To make one: `{split_command(choice.dataset)}`" if needed == "val" else ""
            warn_about_subset(f"There is no {needed} split. Ultralytics needs this split to train.{advice}")
    _write_data_yaml(source.path, entries, placer)
    if is_yolo_export(source.path):
        for file in filter(extras.allow_text, list_other_files(source.path)):
            placer.copy(file, mirror(file))
    if notice := extras.notice():
        warn_about_subset(notice)


def _write_lists(choice: Choice, placer: Placer) -> None:
    """Write a list of the chosen images and a data.yaml that names this list.

    The list contains the original paths of the images, in the order of the choice.
    """
    source = choice.dataset.source
    entries: dict[str, list[str]] = {}
    for split, split_source in source.splits.items():
        if split == choice.dataset.split:
            lines = [utf8_line(absolute(record.path)) for record in choice.chosen]
            placer.write(PurePosixPath(f"{split}.txt"), "".join(lines).encode())
            entries[split] = [f"{split}.txt"]
        elif all(path.is_dir() for path in split_source.images):
            entries[split] = [str(absolute(path)) for path in split_source.images]
        else:
            entries[split] = _write_list_of_split(choice, split, placer)
    _write_data_yaml(source.path, {split: entry for split, entry in entries.items() if entry}, placer)
    warn_about_subset(
        "The list points ultralytics to the source: training writes labels.cache next to the source's labels, and "
        "may rewrite JPEG files without an end marker in place."
    )


def _write_list_of_split(choice: Choice, split: str, placer: Placer) -> list[str]:
    """Write a text file that lists all images of another split. Return a list that contains the name of this file.

    If the split cannot be read, write nothing and return an empty list.
    """
    other = choice.load_other(split)
    if other is None:
        return []
    lines = [utf8_line(absolute(record.path)) for record in other]
    placer.write(PurePosixPath(f"{split}.txt"), "".join(lines).encode())
    return [f"{split}.txt"]


def _find_masks(source: Source) -> str | None:
    description = read_yolo_description(source.path)
    return masks_folder(description.values, source.root)


def _place_files(record: ImageRecord, mirror: Mirror, masks: str | None, extras: Extras, placer: Placer) -> None:
    """Place an image, its label file and its mask in the output."""
    relative = mirror(record.path)
    placer.image(record.path, relative)
    places = mask_places(record, relative, masks) if masks is not None else None
    if places is not None and extras.allow_image(places[0]):
        placer.image(*places)
    if record.label_path is not None and placer.has(record.label_path):
        placer.copy(record.label_path, label_place(relative))


def _make_entries(
    sources: Sequence[Path],
    split: str,
    splits: Mapping[str, Sequence[ImageRecord]],
    mirror: Mirror,
    extras: Extras,
    placer: Placer,
) -> list[str]:
    """Write the lists of a split, and return the new value for its key in data.yaml (such as ``train:``).

    The original folders and lists are used if, in the output, they contain exactly the images of the split. Otherwise,
    a new list is written, for example if a folder also contains images of another split.
    """
    records = splits[split]
    wanted = {mirror(record.path) for record in records}
    everything = {mirror(record.path) for others in splits.values() for record in others}
    folders = [path for path in sources if path.is_dir()]
    lists = [path for path in sources if is_regular(path) and path.suffix.lower() not in IMAGE_SUFFIXES]
    prefixes = tuple(_prefix(mirror(folder)) for folder in folders)
    covered = {image for image in everything if str(image).startswith(prefixes)}
    listed = {path: _filter_list(path, records, mirror) for path in lists}
    for path in lists:
        if any(image is None for image, _ in listed[path]) and not extras.allow_text(path):
            # the text may not be copied as a whole, so leave out the lines that do not name images
            listed[path] = [(image, line) for image, line in listed[path] if image is not None]
    covered |= {image for lines in listed.values() for image, _ in lines if image is not None}
    if len(folders) + len(lists) == len(sources) and covered == wanted:
        for folder in folders:
            placer.make_folder(mirror(folder))
        for path, lines in listed.items():
            placer.write(mirror(path), b"".join(line for _, line in lines))
        return [str(mirror(path)) for path in sources]
    name = _find_free_name(split, placer)
    content = "".join(utf8_line(f"./{mirror(record.path)}") for record in records)
    placer.write(name, content.encode())
    return [str(name)]


def _prefix(folder: PurePosixPath) -> str:
    """Return the text with which all paths below a folder begin."""
    return f"{folder}/" if folder.parts else ""


def _find_free_name(split: str, placer: Placer) -> PurePosixPath:
    """Return a name for a new list that is not in use yet."""
    name, count = PurePosixPath(f"{split}.txt"), 1
    while name in placer.placed:
        count += 1
        name = PurePosixPath(f"{split}{count}.txt")
    return name


def _filter_list(
    path: Path, records: Sequence[ImageRecord], mirror: Mirror
) -> list[tuple[PurePosixPath | None, bytes]]:
    """Return the lines of a list file for the images in `records`, as pairs (path of the image in the output, line).

    Blank lines and comments stay unchanged, and their path is None. Lines that are already correct in the output also
    stay unchanged. All other lines are rewritten to begin with ``./``, because ultralytics reads only such lines
    relative to the list. The lines are encoded as UTF-8.
    """
    places = {str(absolute(record.path)): mirror(record.path) for record in records}
    home = mirror(path).parent
    lines: list[tuple[PurePosixPath | None, bytes]] = []
    data = read_regular(path, LISTS)
    for line in text_lines(data):
        raw, text = line.encode("utf-8", "surrogateescape"), line.strip()
        if PurePosixPath(text.replace("\\", "/")).suffix.lower() not in IMAGE_SUFFIXES:
            lines.append((None, raw))
            continue
        image = next((places[name] for name in listed_places(text, path, mirror.root) if name in places), None)
        if image is None:
            continue
        bare = text == line.rstrip("\r\n")
        if bare and text.startswith("./") and posixpath.normpath(str(home / text)) == str(image):
            lines.append((image, raw))
        else:
            end = raw[len(raw.rstrip(b"\r\n")) :] or b"\n"
            written = f"./{posixpath.relpath(str(image), str(home))}"
            lines.append((image, written.encode("utf-8", "surrogateescape") + end))
    if data.startswith(codecs.BOM_UTF8) and lines:
        lines[0] = lines[0][0], codecs.BOM_UTF8 + lines[0][1]
    return lines


def _write_data_yaml(source: Path, entries: Mapping[str, Sequence[str]], placer: Placer) -> None:
    """Write the data.yaml with the new entries of each split. Warn if comments are lost."""
    data = read_regular(source, YAMLS)
    if is_yolo_export(source):
        data = as_data_yaml(read_yolo_description(source)).encode()
    encoding = "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"
        text = data.decode(encoding)
    content = load_mapping(text.removeprefix("\ufeff"))
    changes = _plan_changes(content, entries)
    if content.get(MASKS_KEY) is not None and masks_folder(content, source.parent) is None:
        changes[MASKS_KEY] = None
        warn_about_subset(
            f"The masks in {content[MASKS_KEY]!r} were not written, and {MASKS_KEY}: was left out: it must be the name "
            "of the folder that replaces 'images' in the path of an image."
        )
    edited, verbatim = edit_data_yaml(text, changes)
    if not verbatim:
        warn_about_subset(f"The comments in {source} were lost: the paths in the file could not be changed in place.")
    placer.write(DATA_YAML, edited.encode(encoding if verbatim else "utf-8", "surrogateescape"))


def _plan_changes(content: Mapping[object, object], entries: Mapping[str, Sequence[str]]) -> dict[str, Change]:
    """Return the new value for each key of data.yaml that changes, or None for a key that is removed."""
    changes: dict[str, Change] = {"path": None} if "path" in content else {}
    found = set()
    for key, value in content.items():
        if not isinstance(key, str) or key == "path":
            continue
        split = canonical_split(key)
        if split in entries:
            if key != split:
                # ultralytics does not read `Train:` or `valid:`, so remove it; the loop below adds the key that
                # ultralytics reads
                changes[key] = None
                continue
            found.add(split)
            changes[key] = _shape_value(value, entries[split])
        elif split in ("train", "val", "test", "minival") and value:
            # this split could not be read, so its path would lead out of the output or to a missing file
            changes[key] = None
    for split, entry in entries.items():
        if split not in found:
            changes[split] = _shape_value(None, entry)
    return changes


def _shape_value(old: object, entry: Sequence[str]) -> Change:
    """Return the new value for a key of data.yaml.

    The value is a list if the old value was a list of the same length. Otherwise, it is a string for one entry, and a
    list for several entries. If a path stays the same, it keeps its spelling, for example ``./train/``.
    """
    if isinstance(old, list) and len(old) == len(entry):
        return [_keep_spelling(before, after) for before, after in zip(old, entry, strict=True)]
    return _keep_spelling(old, entry[0]) if len(entry) == 1 else list(entry)


def _keep_spelling(old: object, new: str) -> str:
    """Return the old text if both texts mean the same path, otherwise the new one."""
    same = isinstance(old, str) and not posixpath.isabs(old) and posixpath.normpath(old) == posixpath.normpath(new)
    return str(old) if same else new
