"""The result of a search for duplicates: groups of images, and pairs of a redundant image and the image to keep."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from detreduce.dataset.records import ImageId, Problem
from detreduce.errors import DetreduceWarning, name_first

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """A redundant image, and the image that is kept instead.

    Attributes
    ----------
    copy
        Id of the redundant image.
    kept
        Id of the image that is kept.
    similarity
        1.0 if the pixels are equal. Otherwise the similarity that `near_duplicates` measures.
    transformation
        How `copy` is flipped or turned compared with `kept`: ``same way up``, ``mirrored``,
        ``turned by 90 degrees clockwise``, ...
    exact
        Whether the decoded pixels are equal. With ``by="boxes"``, only the pixels inside the largest box are compared.
    """

    copy: ImageId
    kept: ImageId
    similarity: float
    transformation: str
    exact: bool


@dataclass(frozen=True)
class Duplicates:
    """The duplicates that a search found, as groups of images.

    Attributes
    ----------
    groups
        The image ids of each group. A group has at least two images, and its first image is the one to keep.
    pairs
        One pair for each redundant image: the image, and the first image of its group. The order follows `groups`.
    images
        The number of images that were compared.
    by
        How the images were compared (see `near_duplicates`). ``content`` for exact duplicates.
    threshold
        The similarity from which two images count as duplicates. 1.0 for exact duplicates.
    problems
        Images that could not be read and were therefore not compared.
    provenance
        The duration in seconds and the number of signatures that came from the cache, as values that JSON can store.
    """

    groups: tuple[tuple[ImageId, ...], ...]
    pairs: tuple[DuplicatePair, ...]
    images: int
    by: str
    threshold: float
    problems: tuple[Problem, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.groups)

    def _repr_html_(self) -> str:
        from detreduce.duplicates.views import duplicates_html

        return duplicates_html(
            [asdict(pair) for pair in self.pairs],
            images=self.images,
            groups=len(self),
            by=self.by,
            threshold=self.threshold,
            problems=self.problems,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per redundant image.

        The columns are ``group`` (the number of the group, counted from 0) and the fields of `DuplicatePair`.
        """
        from detreduce.duplicates.views import pairs_frame

        groups = {image: number for number, group in enumerate(self.groups) for image in group}
        rows = [{"group": groups[pair.copy], **asdict(pair)} for pair in self.pairs]
        return pairs_frame(rows, ["group", *(column.name for column in fields(DuplicatePair))])

    @property
    def redundant(self) -> tuple[ImageId, ...]:
        """The ids of the images to leave out: all images of each group except the first one."""
        return tuple(pair.copy for pair in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as values that JSON can store."""
        return {
            "by": self.by,
            "threshold": self.threshold,
            "images": self.images,
            "groups": [list(group) for group in self.groups],
            "redundant": len(self.pairs),
            "exact": sum(pair.exact for pair in self.pairs),
            "pairs": [pair_to_dict(pair) for pair in self.pairs],
            "problems": [str(problem) for problem in self.problems],
            "provenance": dict(self.provenance),
        }


def warn_not_compared(problems: Sequence[Problem]) -> None:
    """Issue a warning that names images which could not be decoded and compared."""
    if problems:
        text = f"Images that cannot be decoded: {name_first(problems)}."
        warnings.warn(f"{text} `inspect --check-images` names all.", DetreduceWarning, stacklevel=3)


def pair_to_dict(pair: DuplicatePair) -> dict[str, Any]:
    """Return a `DuplicatePair` as values that JSON can store."""
    return {
        "copy": pair.copy,
        "kept": pair.kept,
        "similarity": round(pair.similarity, 4),
        "transformation": pair.transformation,
        "exact": pair.exact,
    }
