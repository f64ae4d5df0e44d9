"""Where a dataset was loaded from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SplitSource:
    """Where the images and annotations of a split are.

    Attributes
    ----------
    images
        The images folder. For YOLO, every folder, list file or image file that the data.yaml names for the split.
    annotations
        For COCO, CVAT and Label Studio, the file with the annotations of the split. For VOC, the file that lists the
        images of the split. None for any other format.
    """

    images: tuple[Path, ...]
    annotations: Path | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """The files from which a dataset was loaded. They are enough to load the other splits and to write a subset.

    Attributes
    ----------
    format
        The name of the format, for example ``coco``.
    path
        The file or folder that the caller passed.
    root
        The folder to which image ids are relative, if the ids are paths.
    splits
        All known splits, in the order train, val, test, others.
    outside
        Whether files outside the dataset's folder may be used.
    origin
        If `path` is a copy that detreduce made in its cache folder, the original file or folder. Otherwise None.
    images
        The images folder that the caller passed, or None.
    every
        For videos, which frames are used, for example ``0.5s`` or ``10``. None for any other format.
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
        """The path that messages and commands show: `origin` if it is set, otherwise `path`."""
        return self.origin or self.path
