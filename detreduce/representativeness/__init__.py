"""Measure how well a selection represents the full set."""

from __future__ import annotations

from detreduce.representativeness.distances import covering_radius, epsilon, lost_categories
from detreduce.representativeness.distribution import (
    Discrepancy,
    class_divergence,
    maximum_mean_discrepancy,
    size_divergence,
)
from detreduce.representativeness.measure import measure_representativeness
from detreduce.representativeness.measurement import Measurement
from detreduce.representativeness.neighbourhoods import Coverage, coverage
from detreduce.representativeness.objects import ObjectSimilarity, object_similarity
from detreduce.representativeness.result import CategoryMeasures, Representativeness
from detreduce.representativeness.topology import DiagramDistance, diagram_distance

__all__ = [
    "CategoryMeasures",
    "Coverage",
    "DiagramDistance",
    "Discrepancy",
    "Measurement",
    "ObjectSimilarity",
    "Representativeness",
    "class_divergence",
    "coverage",
    "covering_radius",
    "diagram_distance",
    "epsilon",
    "lost_categories",
    "maximum_mean_discrepancy",
    "measure_representativeness",
    "object_similarity",
    "size_divergence",
]
