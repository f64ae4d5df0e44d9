"""Write a Label Studio subset: the export without the tasks that were not chosen, and links to the chosen images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from detreduce.dataset.formats.format import Reload
from detreduce.dataset.formats.label_studio.read import key_of, load_label_studio
from detreduce.dataset.records import ImageRecord
from detreduce.dataset.writing.annotated import AnnotatedFormat, refuse_lists, write_annotated
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.json_text import kept_spans_of_list, read_text, to_bytes
from detreduce.dataset.writing.links import Placer


def write_label_studio(choice: Choice, placer: Placer, target: Path) -> Reload:
    """Write the subset with `placer`. Return a function that loads the reduced split from `target`.

    The files are written to a temporary folder, which the caller then renames to `target`. All tasks that were not
    chosen are removed, including those whose image does not exist. The rest of the text stays unchanged. Raise
    InputError if link='list'.
    """
    refuse_lists(choice, placer)
    how = AnnotatedFormat(load_label_studio, _filter_tasks)
    return write_annotated(choice, placer, target, how)


def _filter_tasks(file: Path, records: Iterable[ImageRecord]) -> Iterator[bytes]:
    """Yield the file with only the tasks of these records."""
    kept = {record.id for record in records}

    def wanted(task: Any) -> bool:
        """Return whether a task belongs to a kept image."""
        return isinstance(task, dict) and key_of(task) in kept

    text = read_text(file)
    for start, end in kept_spans_of_list(text, wanted):
        yield to_bytes(text[start:end])
