"""Find exact duplicates and near-duplicates among the images of a dataset."""

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

from detreduce.arrays.class_counts import boxes_of_images
from detreduce.dataset.records import DetectionDataset, ImageId, Problem
from detreduce.dataset.writing.apart import check_cache_apart
from detreduce.duplicates.in_time import TIME
from detreduce.duplicates.pixels.matching import FeatureComparison, Match, PairComparison, PixelComparison, star_groups
from detreduce.duplicates.pixels.orientations import ORIENTATIONS
from detreduce.duplicates.pixels.signatures import Region, Signatures, read_signatures
from detreduce.duplicates.result import DuplicatePair, Duplicates
from detreduce.duplicates.time_search import TimeSearch
from detreduce.errors import InputError, nearest
from detreduce.features.table import FeatureTable
from detreduce.machine.cache_folder import cache_folder

THRESHOLD = 0.85
FEATURE_THRESHOLD = 0.95
LOWEST = 0.4
"""The lowest allowed threshold for comparisons by pixels or boxes."""
IMAGES_BY = ("pixels", "boxes")
BY = (*IMAGES_BY, "features", TIME)
SMALLEST_BOX = 32
"""The smallest side in pixels of a box that is compared. Smaller boxes have too few pixels."""

IntArray = npt.NDArray[np.int64]


def near_duplicates(
    source: DetectionDataset | FeatureTable,
    *,
    threshold: float | None = None,
    by: Literal["pixels", "boxes", "features", "time"] = "pixels",
    prefer: Iterable[ImageId] = (),
    seed: int = 0,
    cache: str | Path | None = None,
    workers: int | None = None,
) -> Duplicates:
    """Find images that are re-encoded, resized, brightened, slightly cropped, flipped or rotated copies of others.

    The duplicates are returned as groups. One image of each group is kept, and every other image of the group is
    similar to the kept image. Therefore, a chain of small changes, as in a video, does not join very different images.

    The image with the most boxes is kept. If several images have the same number of boxes, the image with the most
    pixels is kept. Remaining ties are broken at random with `seed`.

    Parameters
    ----------
    source
        A dataset or a FeatureTable. For a table, only the images that have a row in it are compared.
    by
        How images are compared:

        - ``pixels``: two images are aligned and compared in all eight orientations. Black bars from letterboxing are
          cut off first. Colour is ignored.
        - ``boxes``: the same comparison, but only inside the largest box of each image. This finds objects that were
          rotated inside their box or copied to another background. An image is not compared if a side of its largest
          box is shorter than 32 pixels.
        - ``features``: the cosine of two rows of the table is computed, and the images are not opened. Flipped and
          rotated copies are found only if their features are similar.
        - ``time``: each frame of a video is compared with the last frame of the video that is kept. Other images are
          compared by pixels.
    threshold
        The similarity from which two images count as duplicates.

        - ``pixels``, ``boxes`` and ``time``, default 0.85: the correlation of the details of two pictures after
          alignment, at 64 pixels per side. It is about 1 for an image that was saved again, and about 0.9 for an image
          that was cropped by 5 %, brightened and rotated. It is 0.5 to 0.8 for consecutive frames of a video, or for
          two photographs of the same scene from the same place. The threshold must be at least 0.4.
        - ``features``, default 0.95: the cosine of the scaled features.
    prefer
        Ids of images that are always kept, so they are never redundant.
    seed
        Seed of the random choice between images with equal numbers of boxes and pixels.
    cache
        Folder in which the signatures of the images are cached. The default is ``$DETREDUCE_CACHE``. If this variable
        is not set, the default is the user's cache folder. A second run decodes only new and changed images, even if
        the first run was killed.
    workers
        Number of threads. The default is one per core, but at most 16.

    Raises
    ------
    InputError
        `by` is unknown, the threshold is out of range, or ``features`` is used without a FeatureTable with features.
    """
    limit = _check_options(source, by, threshold)
    start = time.perf_counter()
    dataset, rows = _dataset_rows(source)
    if by == TIME:
        return TimeSearch(dataset, rows, limit, tuple(prefer), seed, cache, workers, near_duplicates).run()
    signatures = None if by == "features" else signatures_of(dataset, rows, by, cache, workers)
    images = _Images.of(dataset, rows, signatures, prefer, seed)
    if signatures is None:
        assert isinstance(source, FeatureTable)
        comparison: PairComparison = FeatureComparison(source.X, limit)
    else:
        comparison = PixelComparison(signatures.pixels)
    exact = images.exact_matches()
    settled = {match.member for match in exact} | images.failures.keys()
    open_places = np.array([place for place in images.order.tolist() if place not in settled], np.int64)
    title = f"Comparing images of {dataset.split}" if dataset.split else "Comparing images"
    near = star_groups(comparison, open_places, limit, workers, images.preferred, title)
    duplicates = images.result(_follow_leaders(exact, near))
    return replace(duplicates, by=by, threshold=limit, provenance=_provenance(start, signatures))


def exact_duplicates(
    source: DetectionDataset | FeatureTable,
    *,
    prefer: Iterable[ImageId] = (),
    seed: int = 0,
    cache: str | Path | None = None,
    workers: int | None = None,
) -> Duplicates:
    """Find images whose decoded pixels are equal after EXIF rotation, whatever their file formats are.

    The parameters have the same meaning as for `near_duplicates`.
    """
    start = time.perf_counter()
    dataset, rows = _dataset_rows(source)
    signatures = signatures_of(dataset, rows, "pixels", cache, workers)
    images = _Images.of(dataset, rows, signatures, prefer, seed)
    return replace(images.result(images.exact_matches()), provenance=_provenance(start, signatures))


def check_by(by: str, known: tuple[str, ...]) -> None:
    """Raise InputError if `by` is not one of the `known` ways to compare images."""
    if by not in known:
        raise InputError(f"by={by!r}: use one of {', '.join(known)}.{nearest(str(by), known)}")


def check_threshold(threshold: float, by: str = "pixels") -> float:
    """Return the threshold as a float. Raise InputError if it is not a number or is out of range."""
    least = 0.0 if by == "features" else LOWEST
    number = isinstance(threshold, numbers.Real) and not isinstance(threshold, bool)
    if not number or not least <= float(threshold) <= 1.0:
        raise InputError(
            f"threshold={threshold!r} for duplicates by {by} is not a number from {least:g} to 1. "
            + (
                "For example, 0.95 finds copies."
                if by == "features"
                else "For example, 0.85 finds copies, and 0.6 also finds consecutive frames of a video."
            )
        )
    return float(threshold)


def signatures_of(
    dataset: DetectionDataset, rows: IntArray, by: str, cache: str | Path | None, workers: int | None
) -> Signatures:
    """Return the signatures of the images in `rows`.

    If `by` is ``boxes``, a signature describes only the largest box.
    """
    check_cache_apart(cache, dataset)
    paths = [dataset[row].path for row in rows.tolist()]
    regions = largest_boxes(dataset, rows) if by == "boxes" else None
    signatures = read_signatures(paths, cache_folder(cache), workers, regions)
    if regions is None:
        return signatures
    small = signatures.sizes.min(axis=1, initial=SMALLEST_BOX) < SMALLEST_BOX
    signatures.pixels[small] = 0
    digests = tuple(b"" if tiny else digest for tiny, digest in zip(small.tolist(), signatures.digests, strict=True))
    return replace(signatures, digests=digests)


def largest_boxes(dataset: DetectionDataset, rows: IntArray) -> list[Region | None]:
    """Return the largest box of each image as fractions x1, y1, x2, y2 of the image. Crowd regions are ignored.

    The entry of an image without boxes is None.
    """
    boxes, single = dataset.boxes_xyxyn, ~dataset.box_crowd
    areas = np.prod(np.clip(boxes[:, 2:], 0, 1) - np.clip(boxes[:, :2], 0, 1), axis=1)
    order = np.lexsort((-areas, dataset.box_rows))
    order = order[single[order] & (areas[order] > 0)]
    images, first = np.unique(dataset.box_rows[order], return_index=True)
    largest = {int(image): tuple(boxes[order[place]].tolist()) for image, place in zip(images, first, strict=True)}
    return [largest.get(row) for row in rows.tolist()]


def draw_by_id(ids: Iterable[ImageId], seed: int, purpose: str = "duplicates") -> npt.NDArray[np.uint64]:
    """Return a random number for each image, (n,). It depends only on the seed, the purpose and the id of the image."""
    texts = (f"{seed}\0{purpose}\0{item!r}".encode() for item in ids)
    digests = b"".join(hashlib.blake2b(text, digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


@dataclass(frozen=True)
class _Images:
    """The images to compare. In this class, the place of an image is its index in `rows`.

    Attributes
    ----------
    dataset
        The dataset that contains the images.
    rows
        (n,): the row of each image in the dataset.
    signatures
        The signatures of the images, or None if they are compared by features.
    preferred
        The places of the images that must never be redundant.
    order
        (n,): the places of all images, best image first. Of two duplicates, the one that comes first is kept.
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
        """Sort the images: preferred images first, then by the number of boxes, the number of pixels, and at random."""
        wanted = set(prefer)
        records = [dataset[row] for row in rows.tolist()]
        preferred = np.array([record.id in wanted for record in records], bool)
        boxes = boxes_of_images(dataset.sparse_class_counts)[rows]
        if signatures is None:
            pixels = np.array([(record.width or 0) * (record.height or 0) for record in records], np.int64)
        else:
            pixels = signatures.sizes.prod(axis=1)
        drawn = draw_by_id([record.id for record in records], seed)
        order = np.lexsort((drawn, -pixels, -boxes, ~preferred)).astype(np.int64)
        return cls(dataset, rows, signatures, set(np.flatnonzero(preferred).tolist()), order)

    @property
    def failures(self) -> dict[int, str]:
        """The reason why an image could not be read, keyed by the place of the image."""
        return {} if self.signatures is None else self.signatures.failures

    def exact_matches(self) -> list[Match]:
        """Match each image with the first image in `order` that has the same digest.

        Images without a digest are skipped.
        """
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
        """Convert matches to groups and pairs, in the order of the dataset. Preferred images are never redundant."""
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


def _dataset_rows(source: DetectionDataset | FeatureTable) -> tuple[DetectionDataset, IntArray]:
    """Return the dataset, and the rows of the images to compare."""
    if isinstance(source, FeatureTable):
        return source.dataset, source.rows
    return source, np.arange(len(source), dtype=np.int64)


def _check_options(source: DetectionDataset | FeatureTable, by: str, threshold: float | None) -> float:
    """Return the threshold, or the default for `by`. Raise InputError if `by` or the threshold is invalid."""
    check_by(by, BY)
    if by == "features" and not (isinstance(source, FeatureTable) and source.blocks):
        raise InputError("by='features' needs features. Pass extract_features(dataset) instead of the dataset.")
    if threshold is None:
        return FEATURE_THRESHOLD if by == "features" else THRESHOLD
    return check_threshold(threshold, by)


def _follow_leaders(exact: list[Match], near: list[Match]) -> list[Match]:
    """Return the exact and the near matches together, with one leader for each group.

    For example, if a is an exact copy of b, and b has joined the group of c, then a joins the group of c too.
    """
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
