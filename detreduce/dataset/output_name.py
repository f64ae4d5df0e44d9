"""A name for the output that a message suggests."""

from __future__ import annotations

from pathlib import Path

from detreduce.dataset.writing.dataset_yaml import DATA_YAML

_MOST = 100


def output_name(data: Path, suffix: str) -> str:
    """Return a name of a folder in the working directory that does not exist, such as ``frames-without-leaks``.

    `data` is the dataset as the user typed it: a folder or a file. `suffix` is the end of the name.
    """
    place = data.absolute()
    named = place.suffix and place.name != DATA_YAML.name and not place.is_dir()
    first = f"{(place.stem if named else place.parent.name if place.suffix else place.name) or 'data'}-{suffix}"
    names = (first, *(f"{first}-{number}" for number in range(2, _MOST)))
    return next((name for name in names if not Path(name).exists()), first)
