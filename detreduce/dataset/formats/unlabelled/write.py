"""Write a subset of images without labels: links to the chosen images, a list of these images, and a data.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from detreduce.dataset.formats.format import Reload
from detreduce.dataset.formats.unlabelled.read import UnreadLabels, load_unlabelled
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.records import ImageRecord, Source, SplitSource
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.dataset_yaml import DATA_YAML, write_dataset_yaml
from detreduce.dataset.writing.links import Placer
from detreduce.dataset.writing.list_lines import list_line
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.display.progress import progress


def write_unlabelled(choice: Choice, placer: Placer, target: Path) -> Reload:
    """Write the subset with `placer`. Return a function that loads the reduced split from `target`.

    The files are written to a temporary folder, which the caller then renames to `target`. ``<split>.txt`` lists the
    chosen images in the order of the choice, with paths relative to the output. The data.yaml (``format: images``)
    names the folder of each split. If this folder also contains images of another split, it names a list instead. With
    link='list', only the lists and the data.yaml are written, with absolute paths of the original images.
    """
    source, own = choice.dataset.source, choice.dataset.split
    splits = choice.load_records()
    places = {split: _find_places(source, split, records) for split, records in splits.items()}
    entries: dict[str, str] = {}
    for split, records in splits.items():
        as_list = placer.link == "list"
        folder = None if as_list else _find_folder(source, split, places)
        entries[split] = str(folder) if folder is not None else f"{split}.txt"
        if split == own or folder is None:
            chosen = choice.chosen if split == own else records
            lines = [list_line(absolute(r.path) if as_list else f"./{places[split][r.path]}") for r in chosen]
            placer.write(PurePosixPath(f"{split}.txt"), "".join(lines).encode("utf-8", "surrogateescape"))
        if not as_list:
            _place_images(records, places[split], placer)
    write_dataset_yaml(placer, source.format, entries)
    for problem in choice.dataset.problems:
        if isinstance(problem, UnreadLabels):
            warn_about_subset(str(problem))
    written = {split: SplitSource((target / entry,)) for split, entry in entries.items()}
    return partial(load_unlabelled, Source(source.format, target / DATA_YAML, target, written), own)


def _find_places(source: Source, split: str, records: Sequence[ImageRecord]) -> dict[Path, PurePosixPath]:
    """Return the path of each image in the output.

    An image below the root keeps its path relative to the root. Any other image is written to a folder with the name of
    the split.
    """
    root = absolute(source.root)
    return {
        record.path: PurePosixPath(absolute(record.path).relative_to(root).as_posix())
        if absolute(record.path).is_relative_to(root)
        else PurePosixPath(split, record.name)
        for record in records
    }


def _find_folder(
    source: Source, split: str, places: Mapping[str, Mapping[Path, PurePosixPath]]
) -> PurePosixPath | None:
    """Return the folder in the output that contains exactly the images of a split, or None if there is none."""
    images = source.splits[split].images
    if len(images) != 1 or not images[0].is_dir():
        return None
    root, place = absolute(source.root), absolute(images[0])
    folder = PurePosixPath(place.relative_to(root).as_posix() if place.is_relative_to(root) else split)
    below = {path for paths in places.values() for path in paths.values() if path.is_relative_to(folder)}
    return folder if below == set(places[split].values()) else None


def _place_images(records: Sequence[ImageRecord], places: Mapping[Path, PurePosixPath], placer: Placer) -> None:
    with progress("Writing images", len(records), "images") as advance:
        for record in records:
            placer.image(record.path, places[record.path])
            advance()
