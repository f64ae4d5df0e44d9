"""Find images that occur in more than one split, unchanged or slightly changed (leakage)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from detreduce.dataset.health.identical_files import identical_files
from detreduce.dataset.load import load_split
from detreduce.dataset.records import DetectionDataset, ImageId, Problem
from detreduce.dataset.splits import CANONICAL
from detreduce.display.progress import step
from detreduce.duplicates.matching import INVERSES, Match, PixelComparison, nearest_matches
from detreduce.duplicates.orientations import ORIENTATIONS
from detreduce.duplicates.result import warn_not_compared
from detreduce.duplicates.search import IMAGES_BY, THRESHOLD, check_by, check_threshold, signatures_of
from detreduce.duplicates.signatures import Signatures, together
from detreduce.errors import InputError
from detreduce.images.decode import EMPTY_FILE

if TYPE_CHECKING:
    import pandas as pd

MEASURING = CANONICAL[1:]
"""The splits on which a detector is evaluated: val and test."""
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LeakedImage:
    """An image that also occurs in an earlier split, and the most similar image of that split.

    The order of the splits is train, val, test.

    Attributes
    ----------
    split
        The later split.
    image
        Id of the image in the later split.
    other_split
        The earlier split.
    other
        Id of the image in the earlier split.
    similarity
        1.0 if the pixels are equal. Otherwise the similarity that `near_duplicates` measures.
    transformation
        How `image` is flipped or turned compared with `other`, for example ``mirrored``.
    exact
        Whether the decoded pixels are equal. With ``by="boxes"``, only the pixels inside the largest box are compared.
        If the images cannot be decoded, whether the files are equal.
    name
        Name of `image`.
    other_name
        Name of `other`.
    """

    split: str
    image: ImageId
    other_split: str
    other: ImageId
    similarity: float
    transformation: str
    exact: bool
    name: str
    other_name: str


@dataclass(frozen=True)
class LeakageReport:
    """The images that occur in more than one split of a dataset.

    Attributes
    ----------
    splits
        The number of images in each split that was compared: train, val and test, if they exist.
    leaked
        The images that match an image of an earlier split. If an image matches several earlier splits, it is listed
        once for each of them.
    threshold
        The similarity from which an image counts as leaked (see `near_duplicates`).
    problems
        Images that could not be decoded.
    provenance
        The duration in seconds and the number of signatures that came from the cache, as values that JSON can store.
    """

    splits: Mapping[str, int]
    leaked: tuple[LeakedImage, ...]
    threshold: float
    problems: tuple[Problem, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        from detreduce.duplicates.views import leakage_html

        return leakage_html([asdict(item) for item in self.leaked], self.counts, self.problems)

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per leaked image. The columns are the fields of `LeakedImage`."""
        from detreduce.duplicates.views import pairs_frame

        return pairs_frame([asdict(item) for item in self.leaked], [column.name for column in fields(LeakedImage)])

    @property
    def counts(self) -> dict[tuple[str, str], dict[str, int]]:
        """The number of leaked images for each pair of splits.

        A key is (earlier split, later split), for example ``("train", "val")``. The value counts images of the later
        split. ``exact`` counts the images that have the same pixels as an image of the earlier split. ``near`` counts
        the other images that have a near-duplicate in the earlier split. ``of`` is the number of all images. Every
        pair of splits has an entry, even if nothing leaked.
        """
        names = list(self.splits)
        counts = {
            (earlier, later): {"exact": 0, "near": 0, "of": self.splits[later]}
            for place, later in enumerate(names)
            for earlier in names[:place]
        }
        for item in self.leaked:
            counts[item.other_split, item.split]["exact" if item.exact else "near"] += 1
        return counts

    def to_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON can store."""
        return {
            "splits": dict(self.splits),
            "threshold": self.threshold,
            "counts": {f"{earlier} / {later}": count for (earlier, later), count in self.counts.items()},
            "leaked": [
                {
                    "split": item.split,
                    "image": item.image,
                    "other_split": item.other_split,
                    "other": item.other,
                    "similarity": round(item.similarity, 4),
                    "transformation": item.transformation,
                    "exact": item.exact,
                    "name": item.name,
                    "other_name": item.other_name,
                }
                for item in self.leaked
            ],
            "problems": [str(problem) for problem in self.problems],
            "provenance": dict(self.provenance),
        }


def leakage_report(
    dataset: DetectionDataset,
    *,
    threshold: float = THRESHOLD,
    by: Literal["pixels", "boxes"] = "pixels",
    cache: str | Path | None = None,
    workers: int | None = None,
) -> LeakageReport:
    """Find copies of train images in val and test, and copies of val images in test.

    Both exact duplicates and near-duplicates count as copies. Any other split is ignored, for example ``trainval`` of a
    VOC dataset.

    Parameters
    ----------
    dataset
        One split of the dataset. The other splits are loaded from the same source.
    threshold, by, cache, workers
        See `near_duplicates`.

    Raises
    ------
    InputError
        `by` is unknown, the threshold is out of range, or a split cannot be loaded.
    """
    check_by(by, IMAGES_BY)
    limit = check_threshold(threshold)
    start = time.perf_counter()
    names = [name for name in dataset.source.splits if name in CANONICAL] or [dataset.split]
    with step("looking for leakage"):
        parts = [dataset if name == dataset.split else load_split(dataset.source, name) for name in names]
        search = _Search.of(parts, by, limit, cache, workers)
        pairs = [(later, earlier) for later in range(1, len(parts)) for earlier in range(later)]
        leaked = [item for pair in pairs for item in search.describe(*pair, search.match(*pair))]
    return LeakageReport(
        {part.split: len(part) for part in parts},
        tuple(leaked),
        limit,
        search.problems,
        {"seconds": round(time.perf_counter() - start, 3), "from_cache": search.signatures.from_cache},
    )


def leaked_images(
    dataset: DetectionDataset,
    *,
    threshold: float = THRESHOLD,
    cache: str | Path | None = None,
    workers: int | None = None,
) -> LeakageReport:
    """Find all images of a split that also occur in val or test, unchanged or slightly changed.

    For each image of val and test, `leakage_report` names only one copy. This function names all copies in `dataset`.
    Once all of these copies are left out, `leakage_report` finds no more copies. The parameters are the same as for
    `near_duplicates`.

    Raises InputError if the dataset has no other val or test split, or if a split cannot be loaded.
    """
    limit = check_threshold(threshold)
    start = time.perf_counter()
    names = [name for name in MEASURING if name in dataset.source.splits and name != dataset.split]
    if not names:
        raise InputError(f"{dataset.source.typed} has no val or test split to compare {dataset.split} with.")
    with step("looking for images that are also in val or test"):
        parts = [*(load_split(dataset.source, name) for name in names), dataset]
        search = _Search.of(parts, "pixels", limit, cache, workers)
        leaked: list[LeakedImage] = []
        matched: set[tuple[str, ImageId]] = set()
        for place in range(len(names)):
            found = _all_copies(search, place)
            leaked += found[0]
            matched |= found[1]
    warn_not_compared(search.problems)
    return LeakageReport(
        {part.split: len(part) for part in search.parts},
        tuple(leaked),
        limit,
        search.problems,
        provenance={
            "matched": len(matched),
            "seconds": round(time.perf_counter() - start, 3),
            "from_cache": search.signatures.from_cache,
        },
    )


def _all_copies(search: _Search, other: int) -> tuple[list[LeakedImage], set[tuple[str, ImageId]]]:
    """Return the images of the last part that also occur in the part `other`, and the matched images of `other`.

    One search is not enough, because it finds only one match for each image and compares only a limited number of
    candidates. First, matches in `other` are searched for the images of the last part. Then, matches in the last part
    are searched for the images of `other`. This second search is repeated with those images of the last part that have
    no match yet, until it finds nothing.
    """
    last = len(search.parts) - 1
    found = {item.image: item for item in search.describe(last, other, search.match(last, other))}
    matched = {(item.other_split, item.other) for item in found.values()}
    rows, ids = search.places(last), search.parts[last].image_ids
    everything = queries = search.places(other)
    remaining = rows
    for number in count(2):
        matches = search.match(other, last, queries, remaining, f", search {number}")
        matched |= {(item.split, item.image) for item in search.describe(other, last, matches)}
        for item in search.describe(last, other, [_turned(match) for match in matches]):
            found.setdefault(item.image, item)
        if not matches and len(queries) == len(everything):
            break
        # an image that has matched will usually match again, so search only such images at first. The last search uses
        # all images, because the images that were left out have made room for other candidates
        queries = np.array([match.member for match in matches], np.int64) if matches else everything
        remaining = rows[[image not in found for image in ids]]
    return sorted(found.values(), key=lambda item: search.parts[last].row_of[item.image]), matched


def _turned(match: Match) -> Match:
    """Return the same match with the two pictures swapped."""
    return Match(match.leader, match.member, match.similarity, int(INVERSES[match.orientation]))


def matches_in_words(leaked: Sequence[Mapping[str, Any]], matched: int | None = None) -> str:
    """Describe the result of a search in words, for example ``16 images of train match 6 images of val or test``.

    `leaked` contains the leaked images as dicts, as in ``LeakageReport.to_dict()``. `matched` is the number of images
    of val and test that they match. By default, this number is counted from `leaked`.
    """
    if not leaked:
        return "no image matches an image of val or test"
    images = len({item["image"] for item in leaked})
    others = matched or len({(item["other_split"], item["other"]) for item in leaked})
    match = "image of {} matches" if images == 1 else "images of {} match"
    return f"{images:,} {match.format(leaked[0]['split'])} {others:,} image{'' if others == 1 else 's'} of val or test"


@dataclass(frozen=True)
class _Search:
    """A search for copies between several splits, called parts.

    The pictures of all parts are numbered consecutively.
    """

    parts: Sequence[DetectionDataset]
    signatures: Signatures
    comparison: PixelComparison
    limit: float
    workers: int | None = None

    @classmethod
    def of(
        cls,
        parts: Sequence[DetectionDataset],
        by: Literal["pixels", "boxes"],
        limit: float,
        cache: str | Path | None,
        workers: int | None = None,
    ) -> _Search:
        """Create a search. This reads or computes the signatures of all images."""
        signatures = together(
            [signatures_of(part, np.arange(len(part), dtype=np.int64), by, cache, workers) for part in parts]
        )
        paths = [record.path for part in parts for record in part]
        signatures = replace(signatures, digests=_with_equal_files(signatures, paths))
        comparison = PixelComparison(signatures.pixels)
        comparison.comparable[list(signatures.failures)] = False
        return cls(parts, signatures, comparison, limit, workers)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The images that could not be decoded."""
        records = [record for part in self.parts for record in part]
        words = {place: "only its bytes are compared" for place, digest in enumerate(self.signatures.digests) if digest}
        found = [
            Problem(records[place].path, f"{words.get(place, 'not compared')}: {reason}")
            for place, reason in self.signatures.failures.items()
        ]
        return tuple(dict.fromkeys(found))

    def places(self, part: int) -> IntArray:
        """Return the numbers of the pictures of a part."""
        begin = self.start(part)
        return np.arange(begin, begin + len(self.parts[part]), dtype=np.int64)

    def start(self, part: int) -> int:
        """Return the number of the first picture of a part."""
        return sum(map(len, self.parts[:part]))

    def match(
        self,
        later: int,
        earlier: int,
        queries: IntArray | None = None,
        against: IntArray | None = None,
        note: str = "",
    ) -> list[Match]:
        """Match each image of the part `later` with an image of the part `earlier`.

        If there is an image with equal pixels, it is the match. Otherwise, the most similar image is the match, if it
        is similar enough. `queries` and `against` restrict the search to some pictures of the two parts.
        """
        queries = self.places(later) if queries is None else queries
        against = self.places(earlier) if against is None else against
        digests = self.signatures.digests
        first: dict[bytes, int] = {}
        for place in against.tolist():
            first.setdefault(digests[place], place)
        first.pop(b"", None)
        exact = [Match(query, first[digests[query]], 1.0) for query in queries.tolist() if digests[query] in first]
        settled = {match.member for match in exact}
        open_queries = np.array([query for query in queries.tolist() if query not in settled], np.int64)
        title = f"Comparing images of {self.parts[later].split} with {self.parts[earlier].split}{note}"
        near = nearest_matches(self.comparison, open_queries, against, self.limit, self.workers, title)
        return sorted([*exact, *near], key=lambda match: match.member)

    def describe(self, later: int, earlier: int, matches: Sequence[Match]) -> list[LeakedImage]:
        """Convert matches between images of the parts `later` and `earlier` to `LeakedImage` objects."""
        starts = self.start(later), self.start(earlier)
        parts = self.parts
        return [_describe_leak(match, parts[later], parts[earlier], starts, self.signatures) for match in matches]


def _with_equal_files(signatures: Signatures, paths: Sequence[Path]) -> tuple[bytes, ...]:
    """Return the digests of all images. Identical files get the same digest, even if they cannot be decoded.

    Empty files do not count as identical.
    """
    failed = [place for place, reason in signatures.failures.items() if reason != EMPTY_FILE]
    digests = list(signatures.digests)
    for number, group in enumerate(identical_files([paths[place] for place in failed])):
        for member in group:
            digests[failed[member]] = b"equal files %d" % number
    return tuple(digests)


def _describe_leak(
    match: Match,
    later: DetectionDataset,
    earlier: DetectionDataset,
    starts: tuple[int, int],
    signatures: Signatures,
) -> LeakedImage:
    """Convert a match to a `LeakedImage`. `starts` are the numbers of the first pictures of `later` and `earlier`."""
    image, other = later[match.member - starts[0]], earlier[match.leader - starts[1]]
    return LeakedImage(
        later.split,
        image.id,
        earlier.split,
        other.id,
        match.similarity,
        ORIENTATIONS[match.orientation].words,
        signatures.digests[match.member] == signatures.digests[match.leader],
        image.name,
        other.name,
    )
