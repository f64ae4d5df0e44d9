"""Write a subset in a format that stores all annotations in one file."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from detreduce.dataset.listing import absolute
from detreduce.dataset.records import Source, SplitSource
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.links import Placer
from detreduce.display.progress import progress
from detreduce.errors import InputError

IMAGES = "images"


def refuse_lists(choice: Choice, placer: Placer) -> None:
    """Raise InputError for link='list', because the annotation file needs its images next to it."""
    if placer.link == "list":
        raise InputError(
            f"link='list' cannot be used for {choice.dataset.source.path.name}: this file needs its images next to it. "
            "Use symlink (takes no disk space), hardlink or copy."
        )


def write_one_file(choice: Choice, annotations: bytes, placer: Placer, target: Path) -> Source:
    """Place the images of every split and write `annotations`. Return the source of the new dataset at `target`.

    If the images folder is below the folder of the annotation file, the images folder keeps its relative path.
    Otherwise the images folder becomes ``images``.
    """
    splits = choice.load_records()
    source = choice.dataset.source
    place = source.splits[choice.dataset.split]
    assert place.annotations is not None, "there is one file of annotations"
    home, images = absolute(place.annotations).parent, absolute(place.images[0])
    inside = images.is_relative_to(home) and images != home
    folder = PurePosixPath(images.relative_to(home).as_posix()) if inside else PurePosixPath(IMAGES)
    listed = [record for records in splits.values() for record in records]
    with progress("Writing images", len(listed), "images") as advance:
        for record in listed:
            placer.image(record.path, folder / record.name)
            advance()
    placer.make_folder(folder)
    placer.write(PurePosixPath(place.annotations.name), annotations)
    file = target / place.annotations.name
    written = {split: SplitSource((target / folder,), file) for split in splits}
    return Source(source.format, file, target, written)
