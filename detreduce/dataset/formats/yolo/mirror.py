"""Map YOLO source files to relative output paths, which never lead out of the output folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from detreduce.dataset.listing import absolute, below

IMAGES = "images"


@dataclass(frozen=True)
class Mirror:
    """A map from source paths to relative output paths.

    Attributes
    ----------
    root
        The dataset's folder. A path below `root` keeps its path relative to `root`.
    prefix
        Output folder for the paths below `root`.
    anchor
        A folder that contains all other paths. These paths keep their path relative to `anchor`.
    outside
        Output folder for the other paths.
    places
        Cache: source path -> output path. It may have 100,000 entries.
    """

    root: Path
    prefix: PurePosixPath
    anchor: Path | None = None
    outside: PurePosixPath | None = None
    places: dict[Path, PurePosixPath] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, path: Path) -> PurePosixPath:
        """Return the relative output path of a source file or folder."""
        place = self.places.get(path)
        if place is None:
            place = self.places[path] = self._find(absolute(path))
        return place

    def _find(self, path: Path) -> PurePosixPath:
        """Return the relative output path of an absolute path."""
        inside = below(str(path), str(self.root))
        if inside is not None or path == self.root:
            return self.prefix / (inside or "")
        if self.anchor is not None and path.is_relative_to(self.anchor):
            return (self.outside or PurePosixPath()) / path.relative_to(self.anchor).as_posix()
        return (self.outside or PurePosixPath()) / path.name


def make_mirror(root: Path, images: Iterable[Path], output: Path) -> Mirror:
    """Return a `Mirror` whose output paths let ultralytics find the label file of each image.

    Ultralytics replaces the last ``/images/`` in an image's absolute path with ``/labels/``. If the output folder is
    inside a folder ``images`` and an image has no ``images`` folder of its own, ultralytics would replace the wrong
    part. In this case, the files are written below a new folder ``images``.
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
    """Return the path at which ultralytics looks for the label file of an image, or for another file that belongs to
    the image.
    """
    folders = list(image.parts[:-1])
    if IMAGES in folders:
        last = len(folders) - 1 - folders[::-1].index(IMAGES)
        folders[last] = folder
    return PurePosixPath(*folders, image.name).with_suffix(suffix)


def _has_images(path: str) -> bool:
    """Return whether the path goes through a folder called ``images``."""
    return IMAGES in path.split("/")[:-1]


def _find_anchor(paths: list[Path]) -> Path:
    """Return the deepest folder that contains all paths, and also the last folder ``images`` of each path."""
    anchor = Path(os.path.commonpath([path.parent for path in paths]))
    if IMAGES in anchor.parts and not all(IMAGES in path.relative_to(anchor).parts[:-1] for path in paths):
        last = len(anchor.parts) - 1 - anchor.parts[::-1].index(IMAGES)
        return Path(*anchor.parts[:last])
    return anchor
