"""Write a CreateML subset: the JSON file without the images that were not chosen, and links to the chosen images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from detreduce.dataset.formats.createml.read import load_createml, name_of
from detreduce.dataset.formats.format import Reload
from detreduce.dataset.reading.image_finder import ImageFinder
from detreduce.dataset.records import ImageRecord
from detreduce.dataset.writing.annotated import AnnotatedFormat, refuse_lists, write_annotated
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.json_text import kept_spans_of_list, read_text, to_bytes
from detreduce.dataset.writing.links import Placer


def write_createml(choice: Choice, placer: Placer, target: Path) -> Reload:
    """Write the subset with `placer`. Return a function that loads the reduced split from `target`.

    The files are written to a temporary folder, which the caller then renames to `target`. All entries that were not
    chosen are removed; the rest of the text stays unchanged. Raise InputError if link='list'.
    """
    refuse_lists(choice, placer)
    finder = ImageFinder(choice.dataset.source.splits[choice.dataset.split].images[0])

    def filtered(file: Path, records: Iterable[ImageRecord]) -> Iterator[bytes]:
        """Yield the JSON with only the images of these records."""
        kept = {record.name for record in records}

        def wanted(entry: Any) -> bool:
            """Return whether the image of an entry is kept."""
            name = name_of(entry) if isinstance(entry, dict) else None
            return name is not None and finder.find(name) in kept

        text = read_text(file)
        for start, end in kept_spans_of_list(text, wanted):
            yield to_bytes(text[start:end])

    return write_annotated(choice, placer, target, AnnotatedFormat(load_createml, filtered))
