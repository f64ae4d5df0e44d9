"""Search for copies of images between the splits of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from detreduce.dataset.health.identical_files import identical_files
from detreduce.dataset.records import DetectionDataset, ImageId, Problem
from detreduce.duplicates.pixels.matching import INVERSES, Match, PixelComparison, nearest_matches
from detreduce.duplicates.pixels.orientations import ORIENTATIONS
from detreduce.duplicates.pixels.signatures import Signatures, together
from detreduce.duplicates.search import signatures_of
from detreduce.images.decode import EMPTY_FILE

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
class SplitSearch:
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
    ) -> SplitSearch:
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


def all_copies(search: SplitSearch, other: int) -> tuple[list[LeakedImage], set[tuple[str, ImageId]]]:
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
