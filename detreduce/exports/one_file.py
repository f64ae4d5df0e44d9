"""Write a single file, such as an exported list. It must not overwrite a file of a dataset or of a selection."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from detreduce.dataset.load import load_split
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.writing.apart import check_file_apart
from detreduce.dataset.writing.manifest import is_in_output
from detreduce.errors import InputError
from detreduce.machine.files import refuse_existing, write_atomically
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import RECORDS, read_regular


def check_file(target: Path, dataset: DetectionDataset, *, overwrite: bool) -> None:
    """Raise InputError if an export may not be written to the path `target`.

    The path may not be a folder, or belong to a dataset or a selection. If the file exists, `overwrite` must be True.
    """
    refuse_existing(target, overwrite=overwrite)
    check_file_apart(target, dataset)
    if not os.path.lexists(target):
        return
    if os.path.realpath(target) in _files_of(dataset):
        raise InputError(f"Output {target} is a file of the dataset itself. Choose another path.")
    if is_in_output(target):
        raise InputError(f"Output {target} is a file of a reduced dataset. Choose another path.")
    if _is_selection(target):
        raise InputError(f"Output {target} is a selection. Choose another path.")


def _files_of(dataset: DetectionDataset) -> set[str]:
    """Return the real paths of all files of a dataset, including the files of its other splits."""
    source = dataset.source
    found: set[Path | None] = {source.path}
    for split, place in source.splits.items():
        found |= {place.annotations, *place.images}
        with suppress(InputError, OSError):
            part = dataset if split == dataset.split else load_split(source, split)
            found |= {path for record in part for path in (record.path, record.label_path)}
    return {os.path.realpath(path) for path in found if path is not None}


def _is_selection(file: Path) -> bool:
    try:
        content = parse_json(read_regular(file, RECORDS).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "image_ids" in content


def write_file(target: Path, pieces: Iterable[bytes]) -> Path:
    """Write the pieces of content to a file, completely or not at all, and return the path of the file."""
    write_atomically(target, lambda file: file.writelines(pieces))
    return target
