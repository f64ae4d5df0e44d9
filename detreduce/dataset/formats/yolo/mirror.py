"""Map the files of a YOLO dataset to relative paths in the output. These paths never lead out of the output folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from detreduce.dataset.paths.listing import absolute, below

IMAGES = "images"


@dataclass(frozen=True)
class Mirror:
    """Maps each path of the original dataset to a relative path in the output.

    Attributes
    ----------
    root
        The folder of the dataset. Files below `root` keep their path relative to `root`.
    prefix
        The folder in the output for files below `root`.
    anchor
        A folder that contains all files outside `root`. These files keep their path relative to `anchor`.
    outside
        The folder in the output for files outside `root`.
    places
        A cache of the path in the output for each original path. It can have 100,000 entries.
    """

    root: Path
    prefix: PurePosixPath
    anchor: Path | None = None
    outside: PurePosixPath | None = None
    places: dict[Path, PurePosixPath] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, path: Path) -> PurePosixPath:
        """Return the relative path in the output for an original file or folder."""
        place = self.places.get(path)
        if place is None:
            place = self.places[path] = self._find(absolute(path))
        return place

    def _find(self, path: Path) -> PurePosixPath:
        """Return the relative path in the output for an absolute path."""
        inside = below(str(path), str(self.root))
        if inside is not None or path == self.root:
            return self.prefix / (inside or "")
        if self.anchor is not None and path.is_relative_to(self.anchor):
            return (self.outside or PurePosixPath()) / path.relative_to(self.anchor).as_posix()
        return (self.outside or PurePosixPath()) / path.name


def make_mirror(root: Path, images: Iterable[Path], output: Path) -> Mirror:
    """Create a `Mirror` whose paths allow ultralytics to find the label file of each image.

    To find a label file, ultralytics replaces the last ``/images/`` in the absolute path of an image with ``/labels/``.
    This can be the wrong part of the path: the output folder may itself be inside a folder called ``images``, for
    example ``/data/images/reduced/a.jpg``. In this case, the files are written below a new folder ``images``.
    """
    root = absolute(root)
    paths = [absolute(path) for path in images]
    places = [below(str(path), str(root)) for path in paths]
    inside = [place for place in places if place is not None]
    beyond = [path for path, place in zip(paths, places, strict=True) if place is None]
    above = IMAGES in Path(os.path.realpath(output)).parts
    prefix = PurePosixPath(IMAGES) if above and not all(_has_images(path) for path in inside) else PurePosixPath()
    if not beyond:
        return Mirror(root, prefix)
    anchor = _find_anchor(beyond)
    relative = [path.relative_to(anchor).as_posix() for path in beyond]
    outside = PurePosixPath(IMAGES) if above and not all(map(_has_images, relative)) else PurePosixPath()
    taken = {str(prefix / path) for path in inside}
    labels = {str(label_place(prefix / path)) for path in inside}
    count = 1
    while any(str(outside / p) in taken or str(label_place(outside / p)) in labels for p in relative):
        outside = PurePosixPath("outside" if count == 1 else f"outside{count}") / (IMAGES if above else "")
        count += 1
    return Mirror(root, prefix, anchor, outside)


def label_place(image: PurePosixPath, folder: str = "labels", suffix: str = ".txt") -> PurePosixPath:
    """Return the path at which ultralytics looks for the label file of an image.

    With other values of `folder` and `suffix`, it is the path of another file that belongs to the image, such as its
    mask.
    """
    folders = list(image.parts[:-1])
    if IMAGES in folders:
        last = len(folders) - 1 - folders[::-1].index(IMAGES)
        folders[last] = folder
    return PurePosixPath(*folders, image.name).with_suffix(suffix)


def _has_images(path: str) -> bool:
    """Return whether a path leads through a folder called ``images``."""
    return IMAGES in path.split("/")[:-1]


def _find_anchor(paths: list[Path]) -> Path:
    """Return the deepest folder that contains all paths, including the last folder ``images`` of each path.

    For example, the result for ``/a/images/1.jpg`` and ``/a/images/2.jpg`` is ``/a``, not ``/a/images``.
    """
    anchor = Path(os.path.commonpath([path.parent for path in paths]))
    if IMAGES in anchor.parts and not all(IMAGES in path.relative_to(anchor).parts[:-1] for path in paths):
        last = len(anchor.parts) - 1 - anchor.parts[::-1].index(IMAGES)
        return Path(*anchor.parts[:last])
    return anchor
