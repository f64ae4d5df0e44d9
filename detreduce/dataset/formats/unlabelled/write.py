"""Write a folder of images without labels: the chosen ones linked, and a list of them in the order chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from detreduce.dataset.listing import absolute
from detreduce.dataset.records import ImageRecord, Source, SplitSource
from detreduce.dataset.writing.contents import Choice
from detreduce.dataset.writing.links import Placer
from detreduce.display.progress import progress


def write_unlabelled(
    choice: Choice, splits: Mapping[str, Iterable[ImageRecord]], placer: Placer, target: Path
) -> tuple[Source, str] | None:
    """Fill the placer's folder; returns the source to load the split from, or None with link='list'.

    ``<split>.txt`` lists the chosen images in the order chosen: relative to the output, or the source's absolute paths
    with link='list'.
    """
    source = choice.dataset.source
    root = absolute(source.root)
    written = {}
    for split, records in splits.items():
        folder = absolute(source.splits[split].images[0])
        place = PurePosixPath(folder.relative_to(root).as_posix() if folder.is_relative_to(root) else split)
        own = split == choice.dataset.split
        if own:
            lines = [
                f"{absolute(r.path)}\n" if placer.link == "list" else f"./{place / r.name}\n" for r in choice.chosen
            ]
            placer.write(PurePosixPath(f"{split}.txt"), "".join(lines).encode("utf-8", "surrogateescape"))
        if placer.link == "list":
            continue
        listed = list(records)
        with progress("Writing images", len(listed), "images") as advance:
            for record in listed:
                placer.image(record.path, place / record.name)
                advance()
        written[split] = SplitSource((target / place,))
    if placer.link == "list":
        return None
    return Source("images", target, target, written), choice.dataset.split
