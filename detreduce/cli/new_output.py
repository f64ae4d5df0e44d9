"""Check the path of an output before libraries are loaded and data are read, because both may take seconds."""

from __future__ import annotations

import os
from pathlib import Path

from detreduce.errors import InputError


def check_new_folder(output: Path, *, overwrite: bool, discard_changes: bool) -> None:
    """Raise InputError if the folder may not be written: it exists, and it may not be replaced."""
    from detreduce.dataset.writing.staging import check_replaceable

    place = Path(os.path.realpath(output.expanduser()))
    check_replaceable(place, overwrite=overwrite, discard_changes=discard_changes)


def check_empty_folder(output: Path | None) -> None:
    """Raise InputError if the folder for a training exists and is not empty. A training is never overwritten."""
    if output is None:
        return
    path = Path(os.path.realpath(output.expanduser()))
    if os.path.lexists(path) and (not path.is_dir() or any(path.iterdir())):
        raise InputError(
            f"{path} exists and is not an empty folder. A training is never overwritten. Use another output."
        )


def check_new_file(output: Path, *, overwrite: bool) -> None:
    """Raise InputError if the file may not be written: it exists and `overwrite` is False, or it is a folder."""
    from detreduce.machine.files import refuse_existing

    refuse_existing(Path(os.path.abspath(output.expanduser())), overwrite=overwrite)  # noqa: PTH100
