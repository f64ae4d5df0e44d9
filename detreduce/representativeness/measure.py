"""Compute all measures of how well a selection represents the full set."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from detreduce.dataset.categories import Categories
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.display.progress import progress, step
from detreduce.errors import InputError, nearest
from detreduce.reducers.engine.pool import IntArray, derive_rng
from detreduce.reducers.engine.validation import check_features, resolve_seed
from detreduce.representativeness.checks import check_count, check_metric, check_sigma
from detreduce.representativeness.distances import METRICS, category_gaps, strata
from detreduce.representativeness.distribution import (
    discrepancy,
    divergence_at_random,
    histogram_divergence,
    size_histogram,
)
from detreduce.representativeness.measurement import Measurement
from detreduce.representativeness.neighbourhoods import CoverageOptions, category_coverage
from detreduce.representativeness.result import CategoryMeasures, Representativeness
from detreduce.representativeness.topology import compare_diagrams
from detreduce.selection.row_categories import categories_of_rows

BETWEEN = 500
"""Number of images from which the median distance between two images is computed.

It is compared with epsilon and the covering radius.
"""
COVERAGE_IMAGES = 500
"""Largest number of left-out images that are checked for coverage in each category.

With this number, the error of coverage is below 0.05 in 95 % of cases.
"""
FEATURE_MEASURES = ("epsilon", "covering_radius", "coverage", "discrepancy", "diagram_distance")
BOX_MEASURES = ("class_divergence", "size_divergence")


@runtime_checkable
class Features(Protocol):
    """An object with the attributes of a FeatureTable that are used here."""

    @property
    def dataset(self) -> DetectionDataset:
        """The dataset that contains the images."""

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """(n,) the row in the dataset that each row of X belongs to, in ascending order."""

    @property
    def X(self) -> npt.NDArray[np.floating]:
        """(n, d) features, one row for each image."""


@runtime_checkable
class Chosen(Protocol):
    """An object that has the ids of the kept images, such as a Selection."""

    @property
    def image_ids(self) -> Iterable[ImageId]:
        """The ids of the kept images."""


def measure_representativeness(
    features: Features | DetectionDataset,
    selection: Chosen | Iterable[ImageId],
    categories: Any = "rarest",
    *,
    neighbours: int = 5,
    metric: str = "bottleneck",
    sigma: str | float = "auto",
    seed: Any = 0,
) -> Representativeness:
    """Measure how well a selection represents the full set.

    Epsilon and the covering radius are always exact. For thousands of images, the coverage, the discrepancy and the
    diagram distance are computed from random samples. The field ``exact`` of such a result is False.

    Parameters
    ----------
    features
        A FeatureTable. If you pass a dataset instead, only classes and box sizes are measured.
    selection
        A Selection, or the ids of the kept images. Each of these images must be in `features`.
    categories
        A rule of `assign_categories`, or one image category for each row of features. If it is None, all images are in
        one category.
    neighbours
        Number of nearest images that `coverage` uses, including the image itself.
    metric
        The distance between the persistence diagrams: ``"bottleneck"`` or ``"wasserstein"``.
    sigma
        Width of the kernel of the discrepancy, or ``"auto"``.
    seed
        Seed of all random samples.

    Raises
    ------
    InputError
        No image is kept, a kept image is not in `features`, a feature is NaN, or an option is invalid.
    """
    options = MeasureOptions(neighbours, metric, sigma, resolve_seed(seed))
    start = time.perf_counter()
    measures: dict[str, Any] = {}
    absent: dict[str, str] = {}
    with step("measuring representativeness"):
        dataset, rows, X = _dataset_and_features(features)
        chosen = _rows_of(selection, dataset, rows)
        groups = categories_of_rows(dataset, rows, categories)
        if X is None:
            absent.update(dict.fromkeys(FEATURE_MEASURES, "no features were given"))
        else:
            measures = _feature_measures(X, chosen, groups, options)
        measures.update(_box_measures(dataset, rows, chosen, options.seed, absent))
    size = len(groups.names)
    by_category = measures.pop("by_category", [{}] * size)
    counts = np.bincount(groups.codes, minlength=size), np.bincount(groups.codes[chosen], minlength=size)
    measured = tuple(
        CategoryMeasures(name, int(images), int(kept), **more)
        for name, images, kept, more in zip(groups.names, *counts, by_category, strict=True)
    )
    return Representativeness(
        images=len(rows),
        kept=len(chosen),
        categories=measured,
        lost=tuple(category.name for category in measured if not category.kept),
        absent=absent,
        seconds=round(time.perf_counter() - start, 3),
        **measures,
    )


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """The options of `measure_representativeness`. The constructor raises InputError if one of them is not valid."""

    neighbours: int
    metric: str
    sigma: str | float
    seed: int

    def __post_init__(self) -> None:
        check_count(self.neighbours, "neighbours")
        check_metric(self.metric)
        check_sigma(self.sigma)


def _dataset_and_features(features: Any) -> tuple[DetectionDataset, IntArray, npt.NDArray[np.floating] | None]:
    """Return the dataset, the measured rows, and their features. The features are None if there are none."""
    if isinstance(features, DetectionDataset):
        return features, np.arange(len(features)), None
    if not isinstance(features, Features):
        raise InputError(f"`features` must be a FeatureTable or a dataset, not {type(features).__name__}.")
    return features.dataset, features.rows, features.X if features.X.shape[1] else None


def _rows_of(selection: Any, dataset: DetectionDataset, rows: IntArray) -> IntArray:
    """Return the positions of the kept images in `rows`."""
    ids = list(dict.fromkeys(selection.image_ids if isinstance(selection, Chosen) else selection))
    if not ids:
        raise InputError("The selection is empty: keep at least one image.")
    for image_id in ids:
        if image_id not in dataset.row_of:
            hint = nearest(str(image_id), map(str, dataset.image_ids))
            raise InputError(f"Image {image_id!r} is not in {dataset.source.path}.{hint}")
    wanted = np.array([dataset.row_of[image_id] for image_id in ids], np.int64)
    missing = np.flatnonzero(~np.isin(wanted, rows))
    if len(missing):
        raise InputError(
            f"{len(missing)} of the {len(ids)} kept images have no features, for example {ids[missing[0]]!r}. "
            "Pass the features that the selection was made from, or only the dataset."
        )
    return np.searchsorted(rows, wanted)


def _feature_measures(X: Any, chosen: IntArray, groups: Categories, options: MeasureOptions) -> dict[str, Any]:
    """Return the measures that need features, by name.

    The key ``by_category`` has a list with the measures of each image category as a dict.
    """
    features = check_features(X, needed=True)
    n, names, seed = len(features), list(groups.names), options.seed
    measures: dict[str, Any] = {}
    with progress("representativeness", 3 * n, "images") as advance:
        parts = list(strata(groups.codes, len(names), chosen))
        advance(0, "distances to the kept images")
        gaps = category_gaps(features, parts, advance)
        for metric, name in zip(METRICS, ("epsilon", "covering_radius"), strict=True):
            measures[name] = Measurement(value=max(gap[metric] for gap in gaps), images=n, kept=len(chosen))
        advance(0, "coverage")
        cover = category_coverage(
            features, parts, names, CoverageOptions(options.neighbours, COVERAGE_IMAGES, seed), advance
        )
        advance(0, "distribution")
        measures["discrepancy"] = discrepancy(features, chosen, options.sigma, seed=seed)
        advance(n // 2, "shape")
        measures["diagram_distance"] = compare_diagrams(features, chosen, metric=options.metric, seed=seed)
        measures["between_images"] = _distances_between_images(features, seed)
    measures["coverage"] = cover
    measures["by_category"] = [
        {"epsilon": gap["chebyshev"], "covering_radius": gap["euclidean"], "coverage": cover.by_category[name]}
        for gap, name in zip(gaps, names, strict=True)
    ]
    return measures


def _distances_between_images(X: npt.NDArray[np.floating], seed: int) -> dict[str, float]:
    """Return the median distance between two images, for each metric. For many images, a random sample is used."""
    from scipy.spatial.distance import pdist

    n = len(X)
    rows = np.arange(n) if n <= BETWEEN else derive_rng(seed, "between").choice(n, BETWEEN, replace=False)
    return {metric: float(np.median(pdist(X[rows], metric))) if n > 1 else 0.0 for metric in METRICS}


def _box_measures(
    dataset: DetectionDataset, rows: IntArray, chosen: IntArray, seed: int, absent: dict[str, str]
) -> dict[str, Any]:
    """Return the measures of classes and box sizes, by name. If a measure is missing, the reason is added to
    `absent`.
    """
    single = ~dataset.box_crowd & np.isin(dataset.box_rows, rows)
    if not dataset.labelled or not single.any():
        reason = "there are no boxes" if dataset.labelled else "the images are not labelled"
        absent.update(dict.fromkeys(BOX_MEASURES, reason))
        return {}
    sizes = dataset.box_sizes[single]
    unknown = int(np.isnan(sizes).sum())
    by_size = size_histogram(sizes, np.searchsorted(rows, dataset.box_rows[single]), len(rows))
    measures: dict[str, Any] = {"unknown_sizes": unknown}
    for name, counts in (("class_divergence", dataset.sparse_class_counts[rows]), ("size_divergence", by_size)):
        if not counts.sum():
            absent[name] = "no image has a known size"
            continue
        rng = derive_rng(seed, name)
        measures[name] = Measurement(
            value=histogram_divergence(counts, chosen),
            images=len(rows),
            kept=len(chosen),
            seed=seed,
            at_random=divergence_at_random(counts, len(chosen), rng),
        )
    return measures
