"""Name the image files to delete, so that val and test have no images in common."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.errors import name_first

MOST_FILES = 10
"""A message names at most this many files."""


class SharedImage(Protocol):
    """An image of a later split that also occurs in an earlier split, as the same file or with similar pixels."""

    @property
    def split(self) -> str:
        """The later split."""

    @property
    def image(self) -> ImageId:
        """Id of the image in the later split."""

    @property
    def other_split(self) -> str:
        """The earlier split."""

    @property
    def other(self) -> ImageId:
        """Id of the image in the earlier split."""


def shared_advice(data: Path, splits: Mapping[str, DetectionDataset], shared: Iterable[SharedImage]) -> str:
    """Return sentences that say what to do about images that occur in two of the `splits`.

    The sentences tell the user to delete the files of the later split. If both splits use the same file, the file must
    be removed from one split, but not deleted. `data` is the path of the dataset. It is used in a command that lists
    all images.
    """
    own: dict[Path, None] = {}
    lists: dict[str, None] = {}
    common: dict[Path, None] = {}
    for pair in shared:
        file, other = _path(splits[pair.split], pair.image), _path(splits[pair.other_split], pair.other)
        (common if file.resolve() == other.resolve() else own)[file] = None
        if file in own and (named := _list_file(splits[pair.split])) is not None:
            lists[named.name] = None
    parts = ["Each of these images counts twice in val+test. If epochs are chosen on val, the mAP on test is too high."]
    if own:
        what = "these images and their annotations"
        if lists:
            what = f"these images, their annotations, and their lines in {' and '.join(lists)}"
        parts.append(f"Delete {what}: {name_first(list(own), MOST_FILES)}.")
    if common:
        parts.append(f"Remove these images from val or from test: {name_first(list(common), MOST_FILES)}.")
    if max(len(own), len(common)) > MOST_FILES:
        parts.append(f"`{shlex.join(['detreduce', 'duplicates', str(data), '--all'])}` lists all of them.")
    return " ".join(parts)


def _list_file(split: DetectionDataset) -> Path | None:
    """Return the text file that lists the images of a split, as in Pascal VOC. Return None if there is no such file."""
    place = split.source.splits[split.split]
    files = [*place.images, *([place.annotations] if place.annotations is not None else [])]
    return next((file for file in files if file.suffix == ".txt"), None)


def _path(split: DetectionDataset, image: ImageId) -> Path:
    return split[split.row_of[image]].path
