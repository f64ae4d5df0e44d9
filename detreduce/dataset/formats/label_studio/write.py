"""Write a Label Studio export less the tasks that were not chosen, the text of all else as it was; images linked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from detreduce.dataset.formats.label_studio.read import key_of
from detreduce.dataset.records import ImageRecord, Source
from detreduce.dataset.writing.contents import Choice
from detreduce.dataset.writing.json_text import kept_spans_of_list, read_text, to_bytes
from detreduce.dataset.writing.links import Placer
from detreduce.dataset.writing.one_file import refuse_lists, write_one_file


def write_label_studio(
    choice: Choice, splits: Mapping[str, Iterable[ImageRecord]], placer: Placer, target: Path
) -> tuple[Source, str]:
    """Fill the placer's folder; returns the source to load the reduced split from, once the folder is at `target`.

    Every task that was not chosen goes, those without an image too. Raises InputError for link='list'.
    """
    refuse_lists(choice, placer)
    file = choice.dataset.source.splits[choice.dataset.split].annotations
    assert file is not None, "a Label Studio split has its JSON"
    if choice.everything:
        return write_one_file(choice, splits, file.read_bytes(), PurePosixPath("images"), placer, target)
    kept, numbers = set(choice.image_ids), count(1)

    def wanted(task: Any) -> bool:
        number = next(numbers)
        return isinstance(task, dict) and key_of(task, number) in kept

    text = read_text(file)
    data = b"".join(to_bytes(text[start:end]) for start, end in kept_spans_of_list(text, wanted))
    return write_one_file(choice, splits, data, PurePosixPath("images"), placer, target)
