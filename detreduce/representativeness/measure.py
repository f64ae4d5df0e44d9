"""All measures of how well a selection stands for the whole, at once."""

from __future__ import annotations

import time
from collections.abc import Iterable
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
from detreduce.representativeness.distances import category_gaps, strata
from detreduce.representativeness.distribution import (
    discrepancy,
    divergence_at_random,
    histogram_divergence,
    size_histogram,
)
from detreduce.representativeness.gaps import Chebyshev, Euclidean
from detreduce.representativeness.measurement import Measurement
from detreduce.representativeness.neighbourhoods import category_coverage
from detreduce.representativeness.result import CategoryMeasures, Representativeness
from detreduce.representativeness.screening import Screen
from detreduce.representativeness.topology import compare_diagrams
from detreduce.selection.row_categories import categories_of_rows

BETWEEN = 500
"""Images whose distances to each other are what epsilon and the covering radius are compared with."""
COVERAGE_IMAGES = 500
"""Of more images left out of a category, so many are looked at: the share is then within 0.05, 19 times in 20."""
FEATURE_MEASURES = ("epsilon", "covering_radius", "coverage", "discrepancy", "diagram_distance")
BOX_MEASURES = ("class_divergence", "size_divergence")


@runtime_checkable
class Features(Protocol):
    """A FeatureTable, or what has the same: features X (n, d) of the images `rows` of a dataset."""

    @property
    def dataset(self) -> DetectionDataset:
        """The dataset whose images these are."""

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """(n,) ascending: the dataset row of each feature row."""

    @property
    def X(self) -> npt.NDArray[np.floating]:
        """Features, one row an image."""


@runtime_checkable
class Chosen(Protocol):
    """Anything that names the images that are kept."""

    @property
    def image_ids(self) -> Iterable[ImageId]:
        """Ids of the kept images."""


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
    """Measure how well a selection stands for all images.

    Distances are exact at any size. Coverage, the kernel and the persistence diagrams are taken from seeded samples
    where there are thousands of images; each result says so.

    Parameters
    ----------
    features
        A FeatureTable; or a bare dataset, for what the boxes alone tell.
    selection
        A Selection, or the ids of the kept images, all of which `features` must have.
    categories
        A rule of `assign_categories`, one category for each feature row, or None for one category.
    neighbours
        Nearest images that `coverage` looks at, an image itself included.
    metric
        ``"bottleneck"`` or ``"wasserstein"``, between the persistence diagrams.
    sigma
        Width of the kernel of the discrepancy, or ``"auto"``.
    seed
        Of every draw.

    Raises
    ------
    InputError
        No kept image, images that `features` does not have, NaN in the features, options that cannot be used.
    """
    check_count(neighbours, "neighbours")
    check_metric(metric)
    check_sigma(sigma)
    seed = resolve_seed(seed)
    start = time.perf_counter()
    found: dict[str, Any] = {}
    absent: dict[str, str] = {}
    with step("measuring representativeness"):
        dataset, rows, X = _taken_apart(features)
        chosen = _rows_of(selection, dataset, rows)
        groups = categories_of_rows(dataset, rows, categories)
        if X is None:
            absent.update(dict.fromkeys(FEATURE_MEASURES, "no features were given"))
        else:
            found = _feature_measures(X, chosen, groups, neighbours=neighbours, metric=metric, sigma=sigma, seed=seed)
        found.update(_box_measures(dataset, rows, chosen, seed, absent))
    rows_of_table = found.pop("by_category", [{}] * len(groups.names))
    size = len(groups.names)
    counts = np.bincount(groups.codes, minlength=size), np.bincount(groups.codes[chosen], minlength=size)
    measured = tuple(
        CategoryMeasures(name, int(images), int(kept), **more)
        for name, images, kept, more in zip(groups.names, *counts, rows_of_table, strict=True)
    )
    return Representativeness(
        images=len(rows),
        kept=len(chosen),
        categories=measured,
        lost=tuple(row.name for row in measured if not row.kept),
        absent=absent,
        seconds=round(time.perf_counter() - start, 3),
        **found,
    )


def _taken_apart(features: Any) -> tuple[DetectionDataset, IntArray, npt.NDArray[np.floating] | None]:
    """Return the dataset, the rows that can be chosen and their features, if there are any."""
    if isinstance(features, DetectionDataset):
        return features, np.arange(len(features)), None
    if not isinstance(features, Features):
        raise InputError(f"features must be a FeatureTable or a dataset, not {type(features).__name__}.")
    return features.dataset, features.rows, features.X if features.X.shape[1] else None


def _rows_of(selection: Any, dataset: DetectionDataset, rows: IntArray) -> IntArray:
    """Return the places in `rows` of the kept images."""
    ids = list(dict.fromkeys(selection.image_ids if isinstance(selection, Chosen) else selection))
    if not ids:
        raise InputError("The selection holds no image: there is nothing to measure.")
    for image_id in ids:
        if image_id not in dataset.row_of:
            hint = nearest(str(image_id), map(str, dataset.image_ids))
            raise InputError(f"Image {image_id!r} is not in {dataset.source.path}.{hint}")
    wanted = np.array([dataset.row_of[image_id] for image_id in ids], np.int64)
    missing = np.flatnonzero(~np.isin(wanted, rows))
    if len(missing):
        raise InputError(
            f"{len(missing)} of the {len(ids)} kept images have no features, the first of them {ids[missing[0]]!r}: "
            "measure with the features that they were chosen by, or with the dataset alone."
        )
    return np.searchsorted(rows, wanted)


def _feature_measures(
    X: Any, chosen: IntArray, groups: Categories, *, neighbours: int, metric: str, sigma: str | float, seed: int
) -> dict[str, Any]:
    features = check_features(X, needed=True)
    n, k, names = len(features), len(chosen), list(groups.names)
    found: dict[str, Any] = {}
    with progress("representativeness", 3 * n, "images") as advance:
        screen = Screen.of(features)
        parts = list(strata(groups.codes, len(names), chosen))
        advance(0, "distances to the kept images")
        gaps = category_gaps(screen, parts, [Chebyshev(), Euclidean()], advance)
        for place, name in enumerate(("epsilon", "covering_radius")):
            found[name] = Measurement(value=max(gap[place] for gap in gaps), images=n, kept=k)
        advance(0, "coverage")
        cover = category_coverage(
            screen, parts, names, neighbours=int(neighbours), max_images=COVERAGE_IMAGES, seed=seed, advance=advance
        )
        advance(0, "distribution")
        found["discrepancy"] = discrepancy(features, chosen, sigma, seed=seed)
        advance(n // 2, "shape")
        found["diagram_distance"] = compare_diagrams(screen, chosen, metric=metric, seed=seed)
        found["between_images"] = _between_images(screen, seed)
    found["coverage"] = cover
    found["by_category"] = [
        {"epsilon": gap[0], "covering_radius": gap[1], "coverage": cover.by_category[name]}
        for gap, name in zip(gaps, names, strict=True)
    ]
    return found


def _between_images(screen: Screen, seed: int) -> dict[str, float]:
    from scipy.spatial.distance import pdist

    n = len(screen.X)
    rows = np.arange(n) if n <= BETWEEN else derive_rng(seed, "between").choice(n, BETWEEN, replace=False)
    some = screen.exact(rows)
    return {
        name: float(np.median(pdist(some, name))) / screen.shrink if n > 1 else 0.0
        for name in ("chebyshev", "euclidean")
    }


def _box_measures(
    dataset: DetectionDataset, rows: IntArray, chosen: IntArray, seed: int, absent: dict[str, str]
) -> dict[str, Any]:
    single = ~dataset.box_crowd & np.isin(dataset.box_rows, rows)
    if not dataset.labelled or not single.any():
        why = "there are no boxes" if dataset.labelled else "the images are not labelled"
        absent.update(dict.fromkeys(BOX_MEASURES, why))
        return {}
    sizes = dataset.box_sizes[single]
    unknown = int(np.isnan(sizes).sum())
    by_size = size_histogram(sizes, np.searchsorted(rows, dataset.box_rows[single]), len(rows))
    found: dict[str, Any] = {"unknown_sizes": unknown}
    for name, counts in (("class_divergence", dataset.class_counts[rows]), ("size_divergence", by_size)):
        if not counts.any():
            absent[name] = "the size of no image is known"
            continue
        rng = derive_rng(seed, name)
        found[name] = Measurement(
            value=histogram_divergence(counts, chosen),
            images=len(rows),
            kept=len(chosen),
            seed=seed,
            at_random=divergence_at_random(counts, len(chosen), rng),
        )
    return found
