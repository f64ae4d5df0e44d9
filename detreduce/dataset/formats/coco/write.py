"""Write a COCO subset: the original JSON without the images that were not chosen, and links to the chosen images."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from detreduce.dataset.formats.coco.read import load_coco
from detreduce.dataset.formats.format import Reload
from detreduce.dataset.listing import absolute
from detreduce.dataset.records import ImageId, ImageRecord, Source, SplitSource
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.json_text import kept_spans, read_text, to_bytes
from detreduce.dataset.writing.links import Placer
from detreduce.display.progress import progress
from detreduce.errors import InputError

DATA_YAML = PurePosixPath("data.yaml")


def write_coco(choice: Choice, placer: Placer, target: Path) -> Reload:
    """Write the subset to the placer's folder. Return a function that loads the reduced split from `target`.

    `target` is the final place of the placer's folder. If all images are chosen, the JSON is copied byte for byte.
    Otherwise, only the chosen images and their annotations stay. The rest of the text stays unchanged. With
    link='list', images are not written, and a data.yaml (``format: coco``) names the new JSONs and the source's image
    folders.
    """
    source = choice.dataset.source
    places = mirror_coco(source)
    written: dict[str, SplitSource] = {}
    for split, records in choice.load_records().items():
        old = source.splits[split]
        if old.annotations is None:
            raise InputError(f"{source.path}: the {split} split has no JSON. Add 'annotations: ...' for this split.")
        relative, folder = places[old.annotations], places[old.images[0]]
        if split != choice.dataset.split:
            if relative not in placer.placed:
                placer.copy(old.annotations, relative)
        elif choice.everything:
            placer.copy(old.annotations, relative)
        else:
            with placer.reserve(relative).open("wb") as file:
                file.writelines(filtered_json(old.annotations, set(choice.image_ids)))
        images = old.images[0]
        if placer.link != "list":
            _place_images(records, folder, placer)
            images = target / folder
        written[split] = SplitSource((images,), target / relative)
    if placer.link == "list":
        placer.write(DATA_YAML, _make_data_yaml(written, target))
        return partial(load_coco, Source("coco", target / DATA_YAML, target, written), choice.dataset.split)
    json_path = written[choice.dataset.split].annotations or target
    return partial(load_coco, Source("coco", json_path, target, written), choice.dataset.split)


def _make_data_yaml(splits: Mapping[str, SplitSource], target: Path) -> bytes:
    """Return a dataset YAML with the JSON of each split (relative to `target`) and the images folder of each split."""
    content: dict[str, Any] = {"format": "coco"}
    for split, place in splits.items():
        assert place.annotations is not None, "every written split has its JSON"
        annotations = place.annotations.relative_to(target).as_posix()
        content[split] = {"annotations": annotations, "images": str(absolute(place.images[0]))}
    # allow_unicode is not set: a name that is not UTF-8 is escaped and can be read again
    return yaml.safe_dump(content, sort_keys=False).encode("ascii")


def mirror_coco(source: Source) -> dict[Path, PurePosixPath]:
    """Return source path -> relative output path, for every JSON and images folder of a source.

    Paths below the root keep their relative path. If all other paths are next to the root, all paths are relative to
    the root's parent. Otherwise, a folder outside the root becomes ``images`` (``images/<name>`` if there are several).
    A JSON outside the root becomes ``annotations/<name>``.
    """
    jsons = [split.annotations for split in source.splits.values() if split.annotations is not None]
    folders = list(dict.fromkeys(split.images[0] for split in source.splits.values()))
    root = absolute(source.root)
    elsewhere = [path for path in map(absolute, [*jsons, *folders]) if not path.is_relative_to(root)]
    base = root.parent if elsewhere and all(path.parent == root.parent for path in elsewhere) else root
    places: dict[Path, PurePosixPath] = {}
    taken: set[PurePosixPath] = set()
    outside = [folder for folder in folders if not absolute(folder).is_relative_to(base)]
    for path in dict.fromkeys([*jsons, *folders]):
        if absolute(path).is_relative_to(base):
            place = PurePosixPath(absolute(path).relative_to(base).as_posix())
        elif path in folders:
            place = PurePosixPath("images") if len(outside) == 1 else PurePosixPath("images", path.name)
        else:
            place = PurePosixPath("annotations", path.name)
        count = 1
        free = place
        while free in taken:
            count += 1
            free = place.with_name(f"{place.stem}-{count}{place.suffix}")
        taken.add(free)
        places[path] = free
    return places


def _place_images(records: Iterable[ImageRecord], folder: PurePosixPath, placer: Placer) -> None:
    """Link or copy the images of one split."""
    listed = list(records)
    with progress("Writing images", len(listed), "images") as advance:
        for record in listed:
            placer.image(record.path, folder / record.name)
            advance()
    placer.make_folder(folder)


def filtered_json(path: Path, ids: Collection[ImageId]) -> Iterator[bytes]:
    """Yield a COCO JSON in parts, without the images that are not in `ids` and without their annotations."""
    text = read_text(path)
    wanted = {
        "images": lambda image: _is_among(ids, image, "id"),
        "annotations": lambda box: _is_among(ids, box, "image_id"),
    }
    try:
        with progress("Filtering annotations", None, "entries") as advance:
            spans = kept_spans(text, wanted, advance)
    except ValueError as error:
        raise InputError(
            f"{path}: the file changed after it was loaded, and is not COCO JSON now ({error}). Load it again."
        ) from None
    for start, end in spans:
        yield to_bytes(text[start:end])


def _is_among(ids: Collection[ImageId], element: Any, key: str) -> bool:
    """Return whether the id under `key` of a JSON element is in `ids`."""
    value = element.get(key) if isinstance(element, dict) else None
    return isinstance(value, int | float | str) and value in ids
