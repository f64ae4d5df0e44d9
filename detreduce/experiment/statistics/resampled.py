"""Compute the mAP of all cells on random resamples of the test images. All cells use the same resamples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.experiment.statistics.pairs import Group
from detreduce.training.evaluation.evidence import Evidence
from detreduce.training.evaluation.resampling import mean_ap

Load = Callable[[str], Evidence | None]


class ResampledFigures:
    """The mAP50 and mAP50-95 of cells on R resamples of their test images, computed once per cell.

    Parameters
    ----------
    load
        A function that takes the key of a cell and returns its evidence (its results for each test image). None means
        that no cell has evidence.
    keys
        Keys of the cells. The first cell that has evidence determines the test images.
    resamples, seed
        Number of resamples R, and the seed for drawing them.
    """

    def __init__(self, load: Load | None, keys: Iterable[str], resamples: int, seed: int) -> None:
        self._figures: dict[str, npt.NDArray[np.float64]] = {}
        self._missing: dict[str, str] = {}
        wanted = list(dict.fromkeys(keys))
        images: npt.NDArray[np.str_] | None = None
        weights: npt.NDArray[np.int64] | None = None
        with progress("resampling the test images", len(wanted), "cells") as advance:
            for key in wanted:
                advance()
                evidence = _load_evidence(load, key)
                if evidence is None:
                    self._missing[key] = "have no stored results per test image"
                    continue
                if images is None or weights is None:
                    images = np.sort(evidence.images)
                    share = np.full(len(images), 1 / max(1, len(images)))
                    weights = np.random.default_rng(seed).multinomial(len(images), share, resamples)
                try:
                    self._figures[key] = mean_ap(evidence.in_order_of(images), weights)
                except InputError:
                    self._missing[key] = "were evaluated on other images"

    def differences(self, groups: Sequence[Group], column: int) -> tuple[npt.NDArray[np.float64] | None, str]:
        """Return the (groups, R) differences in mAP50 (`column` 0) or mAP50-95 (`column` 1).

        The second value is an empty string. If a cell has no evidence for these test images, return None and the
        reason.
        """
        keys = dict.fromkeys(row["key"] for group in groups for side in group for row in side)
        reasons = [self._missing[key] for key in keys if key in self._missing]
        if reasons:
            return None, f"{len(reasons)} of {len(keys)} cells {reasons[0]}"
        sides = [
            [np.mean([self._figures[row["key"]][:, column] for row in side], axis=0) for side in group]
            for group in groups
        ]
        return np.array([ours - theirs for ours, theirs in sides]), ""


def _load_evidence(load: Load | None, key: str) -> Evidence | None:
    """Return the evidence of a cell, or None if it has no evidence or if the evidence cannot be read."""
    try:
        return load(key) if load else None
    except InputError:
        return None
