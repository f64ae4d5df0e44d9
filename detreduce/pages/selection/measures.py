"""The measures of how well one selection represents the full set, as rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset
from detreduce.display.numbers import significant
from detreduce.features.table import FeatureTable
from detreduce.pages.selection.shares import single_box_sizes
from detreduce.representativeness import class_divergence, coverage, covering_radius, size_divergence
from detreduce.selection.record import Selection

MEASURED = 20_000
"""The maximum number of images for which the page computes the distances between all images and the kept images."""
HOLES = {"0": "gaps", "1": "loops"}


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the table: the name of a measure, its value, a value for comparison, and the meaning of the measure."""

    name: str
    value: str
    compared: str
    meaning: str


def measures_of(
    selection: Selection, dataset: DetectionDataset, kept: npt.NDArray[np.bool_], table: FeatureTable | None
) -> tuple[Measure, ...]:
    """Return the measures that the selection stores. If it stores none, return the measures that are fast to compute.

    `kept` (n,) marks the kept images of the dataset with True. `detreduce.measure_representativeness` computes all
    measures.
    """
    stored = tuple(_stored(selection.representativeness))
    return stored or tuple(_computed(selection, dataset, kept, table))


def _stored(found: Mapping[str, Any]) -> Iterator[Measure]:
    """Yield the measures in a dict that has the format of `Representativeness.to_dict`."""
    between = found.get("between_images") or {}
    lost = ", ".join(map(str, found.get("lost", ())))
    for field, name, metric, meaning in (
        (
            "epsilon",
            "epsilon",
            "chebyshev",
            "largest distance from an image to the nearest kept image of its category, in one feature; 0 is best",
        ),
        ("covering_radius", "covering radius", "euclidean", "the same distance in all features together; 0 is best"),
    ):
        if one := found.get(field):
            typical = between.get(metric)
            compared = "" if typical is None else f"{significant(typical)} between two images"
            yield Measure(name, _number(one["value"], f"not covered: {lost}"), compared, meaning)
    if one := found.get("coverage"):
        neighbours = one.get("neighbours", "few")
        meaning = f"images with a kept image among the {neighbours} nearest images of their category; 100 % is best"
        yield Measure("coverage", f"{one['value']:.0%}", _random(one, "{:.0%}"), meaning)
    if one := found.get("discrepancy"):
        meaning = "difference between the feature distributions (MMD); 0 is best, 1.41 is the largest"
        yield Measure("discrepancy", _number(one["value"]), _random(one), meaning)
    if one := found.get("diagram_distance"):
        for dimension, value in one.get("by_dimension", {}).items():
            at_random = (one.get("at_random_by_dimension") or {}).get(dimension)
            meaning = f"difference between the {HOLES.get(str(dimension), 'holes')} in the features; 0 is best"
            compared = "" if at_random is None else f"{significant(float(at_random))} at random"
            yield Measure("diagram distance", _number(value), compared, meaning)
    for field, what in (("class_divergence", "class"), ("size_divergence", "size")):
        if one := found.get(field):
            meaning = f"difference between the {what} shares of the kept boxes and of all boxes, in bits; 0 is best"
            yield Measure(f"{what} divergence", _number(one["value"]), _random(one), meaning)


def _number(value: Any, infinite: str = "infinite") -> str:
    """Return a number as text. Infinity becomes the text `infinite`."""
    number = float(value)
    return infinite if math.isinf(number) else significant(number)


def _random(one: Mapping[str, Any], form: str = "") -> str:
    """Return the value for a random subset as text, or an empty string if it is not known."""
    value = one.get("at_random")
    if value is None:
        return ""
    return f"{form.format(float(value)) if form else significant(float(value))} at random"


def _computed(
    selection: Selection, dataset: DetectionDataset, kept: npt.NDArray[np.bool_], table: FeatureTable | None
) -> Iterator[Measure]:
    """Yield the measures that are fast to compute."""
    if table is not None and table.X.shape[1] and len(table) <= MEASURED and kept[table.rows].any():
        codes = None if selection.category_codes is None else selection.category_codes[table.rows]
        chosen = np.flatnonzero(kept[table.rows])
        covered = coverage(table.X, codes, chosen)
        random = "" if covered.at_random is None else f"{covered.at_random:.0%} at random"
        about = "share of the images that have a kept image among their nearest neighbours"
        yield Measure("coverage", f"{covered.value:.0%}", random, about)
        radius = covering_radius(table.X, codes, chosen)
        about = "largest gap: the largest distance to the nearest kept image of the same category"
        without = ", ".join(name for name, count in selection.categories.get("kept", {}).items() if not count)
        value = f"not covered: {without}" if math.isinf(radius) else significant(radius)
        yield Measure("covering radius", value, "", about)
    if kept.any() and dataset.labelled and len(dataset.box_rows):
        rows = np.flatnonzero(kept)
        about = "difference between the class shares of the kept boxes and all boxes; 0 means equal"
        value = f"{significant(class_divergence(dataset.sparse_class_counts, rows))} bit"
        yield Measure("class divergence", value, "", about)
        sizes = single_box_sizes(dataset)
        known = np.isfinite(sizes)
        if known.any():
            found = size_divergence(sizes[known], dataset.box_rows[known], rows)
            about = "difference between the box sizes of the kept boxes and all boxes; 0 means equal"
            yield Measure("size divergence", f"{significant(found)} bit", "", about)
