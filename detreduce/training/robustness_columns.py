"""The mAP on corrupted images, and its ratio to the mAP on clean images (Michaelis et al., arXiv 1907.07484)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detreduce.vocabulary.measures import ACCURACIES, LEAST_MAP, MAIN_ACCURACY

CORRUPTED = "corrupted"
RELATIVE = "rPC"
"""Relative performance under corruption: (mean corrupted mAP50-95) / (mAP50-95 on clean images)."""


def robustness_columns(
    clean: Mapping[str, Any] | None, corrupted: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """Return columns of a table row with the mAP on corrupted images.

    The column ``mAP50_noise`` is the mean mAP50 over the severities of ``noise``. Each other corruption has such a
    column too. ``mAP50_corrupted`` is the mean over the corruptions. The columns for mAP50-95 have similar names. The
    column `RELATIVE` is the mAP50-95 on corrupted images divided by the mAP50-95 on clean images. It is None if the
    clean mAP is nearly 0.

    Parameters
    ----------
    clean
        The evaluation on clean images as a dict, or None if there is none.
    corrupted
        Dicts with the keys ``corruption``, ``severity`` and ``evaluation``. If there are none, the result is empty.
    """
    if clean is None or not corrupted:
        return {}
    names = list(dict.fromkeys(one["corruption"] for one in corrupted))
    columns: dict[str, float | None] = {}
    for measure in ACCURACIES:
        means = {
            name: _mean([one["evaluation"][measure] for one in corrupted if one["corruption"] == name])
            for name in names
        }
        columns |= {f"{measure}_{name}": mean for name, mean in means.items()}
        columns[f"{measure}_{CORRUPTED}"] = overall = _mean(list(means.values()))
        if measure == MAIN_ACCURACY:
            columns[RELATIVE] = overall / clean[measure] if clean[measure] >= LEAST_MAP else None
    return columns


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
