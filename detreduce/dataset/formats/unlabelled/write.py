"""Write a subset of images without labels: links to the chosen images, and a list of these images."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from detreduce.dataset.formats.format import Reload
from detreduce.dataset.formats.unlabelled.read import load_unlabelled
from detreduce.dataset.listing import absolute
from detreduce.dataset.records import Source, SplitSource
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.links import Placer
from detreduce.display.progress import progress


def write_unlabelled(choice: Choice, placer: Placer, target: Path) -> Reload:
    """Write the subset to the placer's folder. Return a function that loads the reduced split from `target`.

    `target` is the final place of the placer's folder. ``<split>.txt`` lists the chosen images in the order chosen,
    with paths relative to the output. With link='list', only this list is written, with absolute paths of the source,
    and the reduced split uses the images of the source.
    """
    source = choice.dataset.source
    root = absolute(source.root)
    written = {}
    for split, records in choice.load_records().items():
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
        with progress("Writing images", len(records), "images") as advance:
            for record in records:
                placer.image(record.path, place / record.name)
                advance()
        written[split] = SplitSource((target / place,))
    if placer.link == "list":
        return lambda: replace(choice.dataset, records=choice.kept)
    return partial(load_unlabelled, Source("images", target, target, written), choice.dataset.split)
