"""Write formats that keep all annotations in one file: where the file and the images go in the output."""

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
    """Raise InputError for link='list', which would separate the annotations from their images."""
    if placer.link == "list":
        raise InputError(
            f"link='list' cannot be used for {choice.dataset.source.path.name}, which needs its images next to it; "
            "use symlink, which takes no space, hardlink or copy."
        )


def write_one_file(choice: Choice, annotations: bytes, placer: Placer, target: Path) -> Source:
    """Place the images of every split and write `annotations`; return the source that `target` will be.

    Images keep their folder where it lies below the annotation file's; otherwise they go to ``images``.
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
