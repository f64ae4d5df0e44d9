"""near_duplicates and exact_duplicates: which images of a dataset show the same."""

from __future__ import annotations

import hashlib
import numbers
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset, ImageId, Problem
from detreduce.duplicates.matching import Comparison, FeatureComparison, Match, PixelComparison, star_groups
from detreduce.duplicates.orientations import ORIENTATIONS
from detreduce.duplicates.signatures import Region, Signatures, read_signatures
from detreduce.errors import InputError, nearest
from detreduce.features.table import FeatureTable
from detreduce.machine.cache_folder import cache_folder

if TYPE_CHECKING:
    import pandas as pd

THRESHOLD = 0.85
FEATURE_THRESHOLD = 0.95
LOWEST = 0.4
IMAGES_BY = ("pixels", "boxes")
BY = (*IMAGES_BY, "features")
SMALLEST_BOX = 32
"""Boxes of a shorter side, in pixels, hold too little to be recognised."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """A redundant image beside the image that stands for it.

    Attributes
    ----------
    copy, kept
        Image ids: the redundant image, and the one that is kept instead.
    similarity
        1.0 for equal content; else see `near_duplicates`.
    transformation
        What was done to `kept` to get `copy`: ``same way up``, ``mirrored``, ``turned by 90 degrees clockwise``, ...
    exact
        Whether the decoded pixels are equal; by ``boxes`` those inside the box.
    """

    copy: ImageId
    kept: ImageId
    similarity: float
    transformation: str
    exact: bool


@dataclass(frozen=True)
class Duplicates:
    """Groups of images that show the same.

    Attributes
    ----------
    groups
        Image ids of each group of two or more; the first is the one to keep.
    pairs
        Every image but the first of each group, beside that first, in the order of `groups`.
    images
        How many images were looked at.
    by, threshold
        How they were compared; see `near_duplicates`. ``content`` and 1.0 for exact duplicates.
    problems
        Images that could not be read, and so were compared with none.
    provenance
        Seconds, and how many signatures came from the cache. JSON-able.
    """

    groups: tuple[tuple[ImageId, ...], ...]
    pairs: tuple[DuplicatePair, ...]
    images: int
    by: str
    threshold: float
    problems: tuple[Problem, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many groups."""
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
        """One row a redundant image, as in `DuplicatePair`, with the number of its ``group`` from 0."""
        from detreduce.duplicates.views import pairs_frame

        groups = {image: number for number, group in enumerate(self.groups) for image in group}
        rows = [{"group": groups[pair.copy], **asdict(pair)} for pair in self.pairs]
        return pairs_frame(rows, ["group", *(column.name for column in fields(DuplicatePair))])

    @property
    def redundant(self) -> tuple[ImageId, ...]:
        """The images that another one stands for: all but the first of each group."""
        return tuple(pair.copy for pair in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
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


def pair_to_dict(pair: DuplicatePair) -> dict[str, Any]:
    """A pair, ready for JSON."""
    return {
        "copy": pair.copy,
        "kept": pair.kept,
        "similarity": round(pair.similarity, 4),
        "transformation": pair.transformation,
        "exact": pair.exact,
    }


def near_duplicates(
    source: DetectionDataset | FeatureTable,
    *,
    threshold: float | None = None,
    by: Literal["pixels", "boxes", "features"] = "pixels",
    prefer: Iterable[ImageId] = (),
    seed: int = 0,
    cache: str | Path | None = None,
    workers: int | None = None,
) -> Duplicates:
    """Find images that are re-encoded, resized, brightened, slightly cropped, flipped or turned copies of others.

    Groups are stars: each member is like the image that is kept for it, so that no chain of small changes (a video)
    joins images that differ. Kept is the image with the most boxes, then the most pixels, then a seeded draw.

    Parameters
    ----------
    source
        A dataset; or a FeatureTable, of which the images with a row are compared.
    by
        ``pixels``: the pictures are laid over each other, in all eight orientations. Letterboxing's black bars are cut
        off first; colour is not looked at. ``boxes``: the same for what is inside the largest box of each image, which
        finds objects that were turned in their box or put on another background; images whose largest box is below 32
        pixels are like none. ``features``: the cosine of the table's rows; no image is opened, and flips
        and turns are found only as far as the backbone does not see them.
    threshold
        Similarity from which images count as duplicates. ``pixels`` and ``boxes``, default 0.85: the correlation of
        the details of the two pictures (64 pixels a side) once they are aligned. About 1: the same file saved anew;
        0.9: cropped by 5 %, brightened and turned; 0.5 to 0.8: consecutive frames, another photograph of the same thing
        from the same place; below 0.4 nothing is meant by it. ``features``, default 0.95: the cosine of the scaled
        features.
    prefer
        Ids of images to keep before others of their group; they are never called redundant.
    seed
        Of the draw among images of a group with equally many boxes and pixels.
    cache
        Folder for signatures; default ``$DETREDUCE_CACHE``, else the user's cache folder. Keyed by the image files'
        content, so that a second run, or a killed one, reads again only what changed.
    workers
        Threads; default one a core, at most 16.

    Raises
    ------
    InputError
        An unknown `by`, a threshold out of range, or ``features`` without a FeatureTable that has some.
    """
    dataset, rows = _rows(source)
    limit = _check(source, by, threshold)
    start = time.perf_counter()
    if by == "features":
        assert isinstance(source, FeatureTable)
        comparison: Comparison = FeatureComparison(source.X, limit)
        signatures = None
    else:
        signatures = signatures_of(dataset, rows, by, cache, workers)
        comparison = PixelComparison(signatures.pixels)
    preferred = _places(dataset, rows, prefer)
    order = priority(dataset, rows, preferred, signatures, seed)
    twins = _exact_matches(signatures.digests, order) if signatures is not None else []
    hidden = {match.member for match in twins}
    if signatures is not None:
        hidden |= set(signatures.failures)
    alone = np.array([place for place in order.tolist() if place not in hidden], np.int64)
    matches = _through_leaders(twins, star_groups(comparison, alone, limit, workers, preferred))
    found = _result(dataset, rows, order, matches, preferred, signatures)
    return replace(found, by=by, threshold=limit, provenance=_provenance(start, signatures))


def exact_duplicates(
    source: DetectionDataset | FeatureTable,
    *,
    prefer: Iterable[ImageId] = (),
    seed: int = 0,
    cache: str | Path | None = None,
    workers: int | None = None,
) -> Duplicates:
    """Find images of equal decoded content: the same pixels after EXIF rotation, whatever the file format.

    Parameters are those of `near_duplicates`; files of equal bytes are decoded once.
    """
    start = time.perf_counter()
    dataset, rows = _rows(source)
    signatures = read_signatures([dataset[row].path for row in rows.tolist()], cache_folder(cache), workers)
    preferred = _places(dataset, rows, prefer)
    order = priority(dataset, rows, preferred, signatures, seed)
    found = _result(dataset, rows, order, _exact_matches(signatures.digests, order), preferred, signatures)
    return replace(found, provenance=_provenance(start, signatures))


def check_by(by: str, known: tuple[str, ...]) -> None:
    """Raise InputError for a way of comparing that is not known."""
    if by not in known:
        raise InputError(f"by={by!r}: one of {', '.join(known)}.{nearest(str(by), known)}")


def signatures_of(
    dataset: DetectionDataset, rows: IntArray, by: str, cache: str | Path | None, workers: int | None
) -> Signatures:
    """The signatures of images of a dataset, or by ``boxes`` of what is in the largest box of each."""
    paths = [dataset[row].path for row in rows.tolist()]
    regions = None if by == "pixels" else largest_boxes(dataset, rows)
    found = read_signatures(paths, cache_folder(cache), workers, regions)
    if regions is None:
        return found
    small = found.sizes.min(axis=1, initial=SMALLEST_BOX) < SMALLEST_BOX
    found.pixels[small] = 0
    digests = tuple(b"" if tiny else digest for tiny, digest in zip(small.tolist(), found.digests, strict=True))
    return replace(found, digests=digests)


def largest_boxes(dataset: DetectionDataset, rows: IntArray) -> list[Region | None]:
    """The largest box of each image as x1, y1, x2, y2 fractions; None where there is none, crowd regions left out."""
    boxes, single = dataset.boxes_xyxyn, ~dataset.box_crowd
    areas = np.prod(np.clip(boxes[:, 2:], 0, 1) - np.clip(boxes[:, :2], 0, 1), axis=1)
    order = np.lexsort((-areas, dataset.box_rows))
    order = order[single[order] & (areas[order] > 0)]
    images, first = np.unique(dataset.box_rows[order], return_index=True)
    found = {int(image): tuple(boxes[order[place]].tolist()) for image, place in zip(images, first, strict=True)}
    return [found.get(row) for row in rows.tolist()]


def check_threshold(threshold: float, by: str = "pixels") -> float:
    """Return a threshold as a float; InputError where it means nothing."""
    least = 0.0 if by == "features" else LOWEST
    number = isinstance(threshold, numbers.Real) and not isinstance(threshold, bool)
    if not number or not least <= float(threshold) <= 1.0:
        raise InputError(
            f"threshold={threshold!r} for duplicates by {by} is not a number from {least:g} to 1: "
            + ("0.95 finds copies." if by == "features" else "0.85 finds copies, 0.6 also consecutive frames.")
        )
    return float(threshold)


def priority(
    dataset: DetectionDataset, rows: IntArray, preferred: set[int], signatures: Signatures | None, seed: int
) -> IntArray:
    """(n,) places, those to keep first: preferred, most boxes, most pixels, then a draw by seed and image id."""
    boxes = dataset.class_counts.sum(axis=1)[rows]
    if signatures is None:
        area = np.array([(dataset[row].width or 0) * (dataset[row].height or 0) for row in rows.tolist()], np.int64)
    else:
        area = signatures.sizes.prod(axis=1)
    drawn = draw_by_id([dataset[row].id for row in rows.tolist()], seed)
    last = np.array([place not in preferred for place in range(len(rows))], bool)
    return np.lexsort((drawn, -area, -boxes.astype(np.int64), last)).astype(np.int64)


def draw_by_id(ids: Iterable[ImageId], seed: int, purpose: str = "duplicates") -> npt.NDArray[np.uint64]:
    """(n,) numbers that depend on the seed and the image's id alone: a draw among images that no row order decides."""
    texts = (f"{seed}\0{purpose}\0{item!r}".encode() for item in ids)
    digests = b"".join(hashlib.blake2b(text, digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def _rows(source: DetectionDataset | FeatureTable) -> tuple[DetectionDataset, IntArray]:
    if isinstance(source, FeatureTable):
        return source.dataset, source.rows
    return source, np.arange(len(source), dtype=np.int64)


def _check(source: DetectionDataset | FeatureTable, by: str, threshold: float | None) -> float:
    check_by(by, BY)
    if by == "features" and not (isinstance(source, FeatureTable) and source.blocks):
        raise InputError("by='features' needs features: pass extract_features(dataset) instead of a dataset.")
    if threshold is None:
        return FEATURE_THRESHOLD if by == "features" else THRESHOLD
    return check_threshold(threshold, by)


def _places(dataset: DetectionDataset, rows: IntArray, ids: Iterable[ImageId]) -> set[int]:
    wanted = set(ids)
    return {place for place, row in enumerate(rows.tolist()) if dataset[row].id in wanted} if wanted else set()


def _exact_matches(digests: tuple[bytes, ...], order: IntArray) -> list[Match]:
    """Join each image to the first in `order` of equal digest; unreadable images have none."""
    first: dict[bytes, int] = {}
    matches = []
    for place in order.tolist():
        if digests[place]:
            leader = first.setdefault(digests[place], place)
            if leader != place:
                matches.append(Match(place, leader, 1.0))
    return matches


def _through_leaders(twins: list[Match], near: list[Match]) -> list[Match]:
    """Where the leader of exact twins joined another image, its twins join that one too."""
    joined = {match.member: match for match in near}
    moved = [
        Match(twin.member, through.leader, through.similarity, through.orientation)
        if (through := joined.get(twin.leader)) is not None
        else twin
        for twin in twins
    ]
    return near + moved


def _result(
    dataset: DetectionDataset,
    rows: IntArray,
    order: IntArray,
    matches: list[Match],
    preferred: set[int],
    signatures: Signatures | None,
) -> Duplicates:
    """Groups and pairs by image id, in the order of the dataset; preferred images are members of no other's group."""
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    groups: dict[int, list[Match]] = {}
    for match in matches:
        if match.member not in preferred:
            groups.setdefault(match.leader, []).append(match)
    ids = [dataset[row].id for row in rows.tolist()]
    pairs: list[DuplicatePair] = []
    named: list[tuple[ImageId, ...]] = []
    for leader in sorted(groups, key=lambda leader: min(leader, *(match.member for match in groups[leader]))):
        members = sorted(groups[leader], key=lambda match: rank[match.member])
        named.append((ids[leader], *(ids[match.member] for match in members)))
        for match in members:
            exact = signatures is not None and signatures.digests[match.member] == signatures.digests[leader]
            words = ORIENTATIONS[match.orientation].words
            pairs.append(DuplicatePair(ids[match.member], ids[leader], match.similarity, words, exact))
    failures = signatures.failures if signatures is not None else {}
    problems = tuple(
        Problem(dataset[int(rows[place])].path, f"not compared: {why}") for place, why in sorted(failures.items())
    )
    images = len(rows) if signatures is None else sum(map(bool, signatures.digests))
    return Duplicates(tuple(named), tuple(pairs), images, "content", 1.0, problems)


def _provenance(start: float, signatures: Signatures | None) -> dict[str, Any]:
    seconds = round(time.perf_counter() - start, 3)
    return {"seconds": seconds, **({"from_cache": signatures.from_cache} if signatures is not None else {})}
