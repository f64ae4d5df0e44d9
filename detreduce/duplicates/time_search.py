"""Search for near-duplicates in time: among the frames of each video, and by pixels among the other images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset, ImageId, Problem
from detreduce.dataset.writing.apart import check_cache_apart
from detreduce.duplicates.in_time import TIME, FramesInOrder, TimeGroups, frames_by_video
from detreduce.duplicates.pixels.matching import Match
from detreduce.duplicates.pixels.signatures import read_signatures
from detreduce.duplicates.result import DuplicatePair, Duplicates
from detreduce.duplicates.video_pass import SignaturesInPass
from detreduce.errors import InputError
from detreduce.features.table import FeatureTable
from detreduce.machine.cache_folder import cache_folder

SAME_WAY_UP = "same way up"


@dataclass(frozen=True)
class TimeSearch:
    """A search for frames that look like the last frame of their video that was kept.

    Attributes
    ----------
    dataset, rows
        The dataset, and the rows of the images to compare.
    threshold
        Similarity from which two images count as duplicates.
    prefer
        Ids of images that are always kept.
    seed, cache, workers
        See `near_duplicates`.
    others
        The function `near_duplicates`, for images that are not frames. If None, they are not compared.
    """

    dataset: DetectionDataset
    rows: npt.NDArray[np.int64]
    threshold: float
    prefer: Sequence[ImageId] = ()
    seed: int = 0
    cache: str | Path | None = None
    workers: int | None = None
    others: Callable[..., Duplicates] | None = None

    @property
    def _preferred(self) -> set[int]:
        return {self.dataset.row_of[image] for image in self.prefer if image in self.dataset.row_of}

    def check(self) -> None:
        """Raise InputError if the dataset has no videos."""
        if not any(record.frame is not None for record in self.dataset):
            raise InputError(
                f"by='{TIME}' compares frames of videos, but {self.dataset.source.typed} has none. Use by='pixels'."
            )

    def in_pass(self) -> SignaturesInPass:
        """Return an object that does this search while features are computed, in the same pass over the videos."""
        folder = cache_folder(self.cache)
        return SignaturesInPass(self.dataset, self.rows, self._preferred, self.threshold, folder)

    def run(self) -> Duplicates:
        """Decode the images, and return the near-duplicates."""
        self.check()
        start = time.perf_counter()
        frames = np.array([row for row in self.rows.tolist() if self.dataset[row].frame is not None], np.int64)
        check_cache_apart(self.cache, self.dataset)
        paths = [self.dataset[row].path for row in frames.tolist()]
        signatures = read_signatures(paths, cache_folder(self.cache), self.workers)
        places = frames_by_video([self.dataset[row] for row in frames.tolist()])
        preferred = self._preferred
        groups = TimeGroups(self.threshold, {place for place, row in enumerate(frames.tolist()) if row in preferred})
        order = FramesInOrder(
            groups, places, lambda place: None if place in signatures.failures else signatures.pixels[place]
        )
        order.add_all()
        matches = [
            replace(match, member=int(frames[match.member]), leader=int(frames[match.leader]))
            for match in groups.matches.values()
        ]
        failures = {int(frames[place]): reason for place, reason in signatures.failures.items()}
        found = self.result(matches, failures)
        seconds = round(time.perf_counter() - start, 3)
        return replace(found, provenance={"seconds": seconds, "from_cache": signatures.from_cache})

    def result(self, matches: Iterable[Match], failures: dict[int, str] | None = None) -> Duplicates:
        """Return the near-duplicates among frames together with the near-duplicates among the other images.

        `matches` contains the near-duplicates among frames, as rows of the dataset. The other images are searched by
        this method. `failures` contains the reason why a frame could not be read, keyed by its row.
        """
        failures = failures or {}
        ids = self.dataset.image_ids
        members: dict[int, list[Match]] = {}
        for match in matches:
            members.setdefault(match.leader, []).append(match)
        groups: list[tuple[ImageId, ...]] = []
        pairs: list[DuplicatePair] = []
        for leader in sorted(members):
            group = sorted(members[leader], key=lambda match: match.member)
            groups.append((ids[leader], *(ids[match.member] for match in group)))
            pairs += [
                DuplicatePair(ids[match.member], ids[leader], match.similarity, SAME_WAY_UP, exact=False)
                for match in group
            ]
        problems = tuple(
            Problem(self.dataset[row].path, f"not compared: {reason}") for row, reason in sorted(failures.items())
        )
        count = sum(self.dataset[row].frame is not None for row in self.rows.tolist()) - len(failures)
        found = Duplicates(tuple(groups), tuple(pairs), count, TIME, self.threshold, problems)
        images = np.array([row for row in self.rows.tolist() if self.dataset[row].frame is None], np.int64)
        if len(images) < 2 or self.others is None:
            return found
        others = self.others(
            FeatureTable(self.dataset, images, {}),
            threshold=self.threshold,
            prefer=self.prefer,
            seed=self.seed,
            cache=self.cache,
            workers=self.workers,
        )
        return replace(
            found,
            groups=found.groups + others.groups,
            pairs=found.pairs + others.pairs,
            images=found.images + others.images,
            problems=found.problems + others.problems,
        )
