"""Names for the outputs that messages suggest. Nothing with these names exists yet, so a suggested command works."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

COMMON = ("data", "dataset", "annotations", "_annotations.coco")
"""Names of dataset files that many datasets share. The name of the folder is used instead."""

SPLITS = ("train", "val", "valid", "test")
"""Names of split folders. If such a file is in a split folder, the name of the folder above is used."""


def dataset_name(data: Path) -> str:
    """Return a short name of a dataset: the name of its folder, or the name of its file if this is not in `COMMON`."""
    place = Path(os.path.abspath(data))  # noqa: PTH100 (resolve would follow links)
    is_file = bool(place.suffix) and not place.is_dir()
    if not is_file:
        return place.name or "data"
    if place.stem not in COMMON:
        return place.stem
    folder = place.parent if place.parent.name not in SPLITS else place.parent.parent
    return folder.name or "data"


def output_name(data: Path, suffix: str) -> str:
    """Return a name of a folder in the working directory that does not exist, such as ``frames-without-leaks``.

    `data` is the dataset as the user typed it: a folder or a file. `suffix` is the end of the name.
    """
    # a name that begins with a dash would be an option, and one that begins with a dot is hidden
    return free_name(f"{dataset_name(data).lstrip('-.') or 'data'}-{suffix}")


def free_name(name: str) -> str:
    """Return `name`. If this path exists, add the first number that gives a path that does not exist:
    ``list-2.txt``.
    """
    place = Path(name)
    numbered = (str(place.with_name(f"{place.stem}-{number}{place.suffix}")) for number in count(2))
    return name if not os.path.lexists(name) else next(one for one in numbered if not os.path.lexists(one))
