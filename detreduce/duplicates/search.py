"""near_duplicates and exact_duplicates: which images of a dataset show the same."""

from __future__ import annotations

import hashlib
import numbers
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset, ImageId, Problem
from detreduce.duplicates.matching import Comparison, FeatureComparison, Match, PixelComparison, star_groups
from detreduce.duplicates.orientations import ORIENTATIONS
from detreduce.duplicates.result import DuplicatePair, Duplicates
from detreduce.duplicates.signatures import Region, Signatures, read_signatures
from detreduce.errors import InputError, nearest
from detreduce.features.table import FeatureTable
from detreduce.machine.cache_folder import cache_folder

THRESHOLD = 0.85
FEATURE_THRESHOLD = 0.95
LOWEST = 0.4
IMAGES_BY = ("pixels", "boxes")
BY = (*IMAGES_BY, "features")
SMALLEST_BOX = 32
"""Boxes with a shorter side, in pixels, show too little to be compared."""

IntArray = npt.NDArray[np.int64]


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

    Groups are stars: each member is similar to the image that is kept for it. So no chain of small changes, as in a
    video, joins images that differ. The kept image is the one with the most boxes, then the most pixels, then by a
    seeded draw.

    Parameters
    ----------
    source
        A dataset, or a FeatureTable; of a table, the images that have a row are compared.
    by
        ``pixels``: the pictures are laid over each other in all eight orientations. Black bars from letterboxing are
        cut off first. Colour does not count. ``boxes``: the same for the content of the largest box of each image,
        which finds objects that were turned inside their box or moved to another background. Images whose largest box
        has a side below 32 pixels match no other. ``features``: the cosine of the table's rows. No image is opened, and
        flips and turns are found only if the backbone gives them similar features.
    threshold
        Similarity from which images count as duplicates. ``pixels`` and ``boxes``, default 0.85: the correlation of
        the details of the two pictures (64 pixels a side) after alignment. About 1: the same image saved again; 0.9:
        cropped by 5 %, brightened and turned; 0.5 to 0.8: consecutive frames, or another photograph of the same thing
        from the same place. Below 0.4 the value means nothing. ``features``, default 0.95: the cosine of the scaled
        features.
    prefer
        Ids of images to keep before others of their group; they are never redundant.
    seed
        Of the draw among images of a group with equally many boxes and pixels.
    cache
        Folder for signatures; default ``$DETREDUCE_CACHE``, else the user's cache folder. The key is the content of the
        image file, so a second run, also after a killed one, reads only what changed.
    workers
        Threads; default one per core, at most 16.

    Raises
    ------
    InputError
        An unknown `by`, a threshold out of range, or ``features`` without a FeatureTable that has some.
    """
    limit = _check(source, by, threshold)
    start = time.perf_counter()
    dataset, rows = _rows(source)
    signatures = None if by == "features" else signatures_of(dataset, rows, by, cache, workers)
    images = _Images.of(dataset, rows, signatures, prefer, seed)
    if signatures is None:
        assert isinstance(source, FeatureTable)
        comparison: Comparison = FeatureComparison(source.X, limit)
    else:
        comparison = PixelComparison(signatures.pixels)
    exact = images.exact_matches()
    settled = {match.member for match in exact} | images.failures.keys()
    open_places = np.array([place for place in images.order.tolist() if place not in settled], np.int64)
    near = star_groups(comparison, open_places, limit, workers, images.preferred)
    duplicates = images.result(_through_leaders(exact, near))
    return replace(duplicates, by=by, threshold=limit, provenance=_provenance(start, signatures))


def exact_duplicates(
    source: DetectionDataset | FeatureTable,
    *,
    prefer: Iterable[ImageId] = (),
    seed: int = 0,
    cache: str | Path | None = None,
    workers: int | None = None,
) -> Duplicates:
    """Find images of equal decoded content: the same pixels after EXIF rotation, whatever the file format.

    The parameters are those of `near_duplicates`.
    """
    start = time.perf_counter()
    dataset, rows = _rows(source)
    signatures = signatures_of(dataset, rows, "pixels", cache, workers)
    images = _Images.of(dataset, rows, signatures, prefer, seed)
    return replace(images.result(images.exact_matches()), provenance=_provenance(start, signatures))


def check_by(by: str, known: tuple[str, ...]) -> None:
    """Raise InputError for an unknown way of comparing."""
    if by not in known:
        raise InputError(f"by={by!r}: give one of {', '.join(known)}.{nearest(str(by), known)}")


def check_threshold(threshold: float, by: str = "pixels") -> float:
    """Return a threshold as a float; raise InputError if it is out of range."""
    least = 0.0 if by == "features" else LOWEST
    number = isinstance(threshold, numbers.Real) and not isinstance(threshold, bool)
    if not number or not least <= float(threshold) <= 1.0:
        raise InputError(
            f"threshold={threshold!r} for duplicates by {by} is not a number from {least:g} to 1: "
            + ("0.95 finds copies." if by == "features" else "0.85 finds copies, 0.6 also consecutive frames.")
        )
    return float(threshold)


def signatures_of(
    dataset: DetectionDataset, rows: IntArray, by: str, cache: str | Path | None, workers: int | None
) -> Signatures:
    """Return the signatures of some images of a dataset; by ``boxes``, those of the largest box of each."""
    paths = [dataset[row].path for row in rows.tolist()]
    regions = None if by == "pixels" else largest_boxes(dataset, rows)
    signatures = read_signatures(paths, cache_folder(cache), workers, regions)
    if regions is None:
        return signatures
    small = signatures.sizes.min(axis=1, initial=SMALLEST_BOX) < SMALLEST_BOX
    signatures.pixels[small] = 0
    digests = tuple(b"" if tiny else digest for tiny, digest in zip(small.tolist(), signatures.digests, strict=True))
    return replace(signatures, digests=digests)


def largest_boxes(dataset: DetectionDataset, rows: IntArray) -> list[Region | None]:
    """Return the largest box of each image as x1, y1, x2, y2 fractions, or None; crowd regions do not count."""
    boxes, single = dataset.boxes_xyxyn, ~dataset.box_crowd
    areas = np.prod(np.clip(boxes[:, 2:], 0, 1) - np.clip(boxes[:, :2], 0, 1), axis=1)
    order = np.lexsort((-areas, dataset.box_rows))
    order = order[single[order] & (areas[order] > 0)]
    images, first = np.unique(dataset.box_rows[order], return_index=True)
    largest = {int(image): tuple(boxes[order[place]].tolist()) for image, place in zip(images, first, strict=True)}
    return [largest.get(row) for row in rows.tolist()]


def draw_by_id(ids: Iterable[ImageId], seed: int, purpose: str = "duplicates") -> npt.NDArray[np.uint64]:
    """Return (n,) random numbers that depend only on the seed, the purpose and the image's id, not on its row."""
    texts = (f"{seed}\0{purpose}\0{item!r}".encode() for item in ids)
    digests = b"".join(hashlib.blake2b(text, digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


@dataclass(frozen=True)
class _Images:
    """The images that are compared, by their place in `rows`.

    Attributes
    ----------
    rows
        (n,) rows of the dataset.
    signatures
        Of each image; None by features.
    preferred
        Places of images that are never redundant.
    order
        (n,) places, those to keep first.
    """

    dataset: DetectionDataset
    rows: IntArray
    signatures: Signatures | None
    preferred: set[int]
    order: IntArray

    @classmethod
    def of(
        cls,
        dataset: DetectionDataset,
        rows: IntArray,
        signatures: Signatures | None,
        prefer: Iterable[ImageId],
        seed: int,
    ) -> _Images:
        """Order the images: preferred ones first, then by most boxes, most pixels, and a draw by seed and image id."""
        wanted = set(prefer)
        records = [dataset[row] for row in rows.tolist()]
        preferred = np.array([record.id in wanted for record in records], bool)
        boxes = dataset.class_counts.sum(axis=1)[rows].astype(np.int64)
        if signatures is None:
            pixels = np.array([(record.width or 0) * (record.height or 0) for record in records], np.int64)
        else:
            pixels = signatures.sizes.prod(axis=1)
        drawn = draw_by_id([record.id for record in records], seed)
        order = np.lexsort((drawn, -pixels, -boxes, ~preferred)).astype(np.int64)
        return cls(dataset, rows, signatures, set(np.flatnonzero(preferred).tolist()), order)

    @property
    def failures(self) -> dict[int, str]:
        """Place -> reason, for images that could not be read."""
        return {} if self.signatures is None else self.signatures.failures

    def exact_matches(self) -> list[Match]:
        """Match each image with the first in `order` of equal digest; unreadable images have no digest."""
        if self.signatures is None:
            return []
        digests = self.signatures.digests
        first: dict[bytes, int] = {}
        matches = []
        for place in self.order.tolist():
            if digests[place]:
                leader = first.setdefault(digests[place], place)
                if leader != place:
                    matches.append(Match(place, leader, 1.0))
        return matches

    def result(self, matches: list[Match]) -> Duplicates:
        """Return groups and pairs in the dataset's order; a preferred image is never a redundant one."""
        rank = np.empty(len(self.order), np.int64)
        rank[self.order] = np.arange(len(self.order))
        members: dict[int, list[Match]] = {}
        for match in matches:
            if match.member not in self.preferred:
                members.setdefault(match.leader, []).append(match)
        groups: list[tuple[ImageId, ...]] = []
        pairs: list[DuplicatePair] = []
        for leader in sorted(members, key=lambda leader: min(leader, *(match.member for match in members[leader]))):
            ordered = sorted(members[leader], key=lambda match: rank[match.member])
            groups.append((self._id(leader), *(self._id(match.member) for match in ordered)))
            pairs += [self._pair(match) for match in ordered]
        problems = tuple(
            Problem(self.dataset[int(self.rows[place])].path, f"not compared: {reason}")
            for place, reason in sorted(self.failures.items())
        )
        count = len(self.rows) if self.signatures is None else sum(map(bool, self.signatures.digests))
        return Duplicates(tuple(groups), tuple(pairs), count, "content", 1.0, problems)

    def _pair(self, match: Match) -> DuplicatePair:
        digests = None if self.signatures is None else self.signatures.digests
        exact = digests is not None and digests[match.member] == digests[match.leader]
        words = ORIENTATIONS[match.orientation].words
        return DuplicatePair(self._id(match.member), self._id(match.leader), match.similarity, words, exact)

    def _id(self, place: int) -> ImageId:
        return self.dataset[int(self.rows[place])].id


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


def _through_leaders(exact: list[Match], near: list[Match]) -> list[Match]:
    """Return all matches; if the leader of an exact match joined another image, its members join that image too."""
    joined = {match.member: match for match in near}
    moved = [
        Match(match.member, through.leader, through.similarity, through.orientation)
        if (through := joined.get(match.leader)) is not None
        else match
        for match in exact
    ]
    return near + moved


def _provenance(start: float, signatures: Signatures | None) -> dict[str, Any]:
    seconds = round(time.perf_counter() - start, 3)
    return {"seconds": seconds, **({"from_cache": signatures.from_cache} if signatures is not None else {})}
