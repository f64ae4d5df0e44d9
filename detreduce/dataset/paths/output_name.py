"""Choose names for the output of commands that messages suggest. The names are not in use yet."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

COMMON = ("data", "dataset", "annotations", "_annotations.coco", "_annotations.createml", "classes", "obj")
"""Names that the files of many datasets have. For such a file, the name of its folder is used instead."""

SPLITS = ("train", "val", "valid", "test")
"""Names of folders of splits. If such a file is in one of these folders, the name of the folder above is used."""


def dataset_name(data: Path) -> str:
    """Return a short name for a dataset: the name of its file without the suffix, or the name of its folder.

    For example, the name is ``cars`` for ``cars.json``, for the folder ``cars`` and for ``cars/data.yaml``. The name of
    the folder is used if many datasets have a file with the same name (`COMMON`).
    """
    place = Path(os.path.abspath(data))  # noqa: PTH100 (resolve would follow links)
    is_file = bool(place.suffix) and not place.is_dir()
    if not is_file:
        return place.name or "data"
    if place.stem not in COMMON:
        return place.stem
    folder = place.parent if place.parent.name not in SPLITS else place.parent.parent
    return folder.name or "data"


def output_name(data: Path, suffix: str) -> str:
    """Return a name for a new folder in the working directory, for example ``frames-without-leaks``.

    `data` is the dataset as the user typed it: a folder or a file. `suffix` is the end of the name.
    """
    # avoid a dash at the beginning, which would make the name an option, and a dot, which would hide the folder
    return free_name(f"{dataset_name(data).lstrip('-.') or 'data'}-{suffix}")


def free_name(name: str) -> str:
    """Return `name` if nothing with this path exists, otherwise the name with the first free number: ``list-2.txt``."""
    place = Path(name)
    numbered = (str(place.with_name(f"{place.stem}-{number}{place.suffix}")) for number in count(2))
    return name if not os.path.lexists(name) else next(one for one in numbered if not os.path.lexists(one))
