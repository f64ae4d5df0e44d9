"""Where and how to write a dataset, as a single object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from detreduce.dataset.writing.links import LinkMode


@dataclass(frozen=True)
class Destination:
    """Where and how to write a dataset. The fields are arguments of `detreduce.write_subset`, which documents them."""

    folder: str | Path
    link: LinkMode = "hardlink"
    format: str | None = None
    overwrite: bool = False
    discard_changes: bool = False
    frames: str = "jpg"
