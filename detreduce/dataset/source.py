"""Where a dataset was loaded from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SplitSource:
    """The places of one split's images and annotations.

    Attributes
    ----------
    images
        The images folder. YOLO: every folder, list file or image file that data.yaml names for the split.
    annotations
        COCO, CVAT and Label Studio: the file with the split's annotations. VOC: the file that lists the split's images.
        None in other formats.
    """

    images: tuple[Path, ...]
    annotations: Path | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """The files that a dataset was loaded from. They are enough to load the other splits and to write a subset.

    Attributes
    ----------
    format
        Name of the format, for example ``coco``.
    path
        The file or folder that the caller passed.
    root
        The folder to which image ids are relative, if the ids are paths.
    splits
        Every known split, in the order train, val, test, others.
    outside
        False if files outside the dataset's folder are refused.
    origin
        The file or folder that a person knows, if `path` is a copy that detreduce made in its cache folder.
    images
        The folder of images that the caller passed. None if the caller passed none.
    every
        Videos: which frames are used, such as ``0.5s`` or ``10``. None in other formats.
    """

    format: str
    path: Path
    root: Path
    splits: Mapping[str, SplitSource] = field(default_factory=dict)
    outside: bool = True
    origin: Path | None = None
    images: Path | None = field(default=None, compare=False)
    every: str | None = None

    @property
    def typed(self) -> Path:
        """The path for messages and commands: `origin` if the dataset is a copy in the cache folder, or `path`."""
        return self.origin or self.path
