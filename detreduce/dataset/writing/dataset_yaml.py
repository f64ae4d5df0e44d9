"""Write the data.yaml of a subset, through which every output can be loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from detreduce.dataset.writing.links import Placer
from detreduce.dataset.writing.staging import MANIFEST

DATA_YAML = PurePosixPath("data.yaml")
SELECTION_FILE, SPLIT_FILE = PurePosixPath("selection.json"), PurePosixPath("split.json")
FRAMES_TABLE = PurePosixPath("frames.csv")
"""The table of the frames that were taken from videos."""
OWN_FILES = frozenset({DATA_YAML, SELECTION_FILE, SPLIT_FILE, PurePosixPath(MANIFEST)})
"""The names of the files that detreduce writes at the top level of an output."""


def write_dataset_yaml(placer: Placer, format: str, splits: Mapping[str, Any]) -> None:
    """Write a data.yaml with ``format:`` and the value of each split. Paths are relative to the folder of the YAML."""
    content: dict[str, Any] = {"format": format, **splits}
    # allow_unicode stays False, so that a name that is not valid UTF-8 is escaped and can be read again
    placer.write(DATA_YAML, yaml.safe_dump(content, sort_keys=False).encode("ascii"))
