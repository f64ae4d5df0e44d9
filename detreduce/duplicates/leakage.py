"""Find images that occur in more than one split, unchanged or slightly changed (leakage)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from detreduce.dataset.load import load_split
from detreduce.dataset.records import DetectionDataset, ImageId, Problem
from detreduce.dataset.splits import CANONICAL
from detreduce.display.progress import step
from detreduce.duplicates.result import warn_not_compared
from detreduce.duplicates.search import IMAGES_BY, THRESHOLD, check_by, check_threshold
from detreduce.duplicates.split_search import LeakedImage, SplitSearch, all_copies
from detreduce.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

MEASURING = CANONICAL[1:]
"""The splits on which a detector is evaluated: val and test."""


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
        search = SplitSearch.of(parts, by, limit, cache, workers)
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
        search = SplitSearch.of(parts, "pixels", limit, cache, workers)
        leaked: list[LeakedImage] = []
        matched: set[tuple[str, ImageId]] = set()
        for place in range(len(names)):
            found = all_copies(search, place)
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
