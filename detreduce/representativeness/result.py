"""Representativeness: what was measured of a selection, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, cast

from detreduce.machine.json_values import json_value
from detreduce.representativeness.distribution import Discrepancy
from detreduce.representativeness.measurement import Measurement
from detreduce.representativeness.neighbourhoods import Coverage
from detreduce.representativeness.topology import DiagramDistance

if TYPE_CHECKING:
    import pandas as pd

# measure -> the distance between two images that it is typically of
TYPICAL = {"epsilon": "chebyshev", "covering_radius": "euclidean"}


@dataclass(frozen=True, slots=True)
class CategoryMeasures:
    """One category: its images, how many are kept, and how near the kept ones are to the others.

    Attributes
    ----------
    name, images, kept
        The category and its images, all and kept.
    epsilon, covering_radius
        Largest L-infinity and Euclidean distance to the nearest kept image; inf where none is kept, None without
        features.
    coverage
        Share of the images with a kept one among their nearest; None without features.
    """

    name: str
    images: int
    kept: int
    epsilon: float | None = None
    covering_radius: float | None = None
    coverage: float | None = None


@dataclass(frozen=True, slots=True)
class Representativeness:
    """How well a selection stands for all images; None for what cannot be measured, which is said in `absent`.

    Attributes
    ----------
    images, kept
        Images that could be chosen, and chosen ones.
    categories
        One entry a category.
    lost
        Names of the categories of which nothing is kept.
    epsilon, covering_radius
        Largest L-infinity and Euclidean distance of an image to the nearest kept one of its category, exact; inf where
        a category is lost. `between_images` has the median distances between any two images for comparison.
    coverage
        Share of images with a kept one among the nearest of their category.
    discrepancy
        Maximum mean discrepancy of the features.
    diagram_distance
        Distance between the persistence diagrams of the features.
    class_divergence, size_divergence
        Jensen-Shannon divergence in bits of the boxes' classes and sizes.
    between_images
        ``chebyshev`` and ``euclidean``: median distance between two images, of a seeded sample.
    unknown_sizes
        Boxes whose size is not known, because their image's is not; they are left out of `size_divergence`.
    absent
        Measure -> why there is none.
    seconds
        What measuring took.
    """

    images: int
    kept: int
    categories: tuple[CategoryMeasures, ...]
    lost: tuple[str, ...]
    epsilon: Measurement | None = None
    covering_radius: Measurement | None = None
    coverage: Coverage | None = None
    discrepancy: Discrepancy | None = None
    diagram_distance: DiagramDistance | None = None
    class_divergence: Measurement | None = None
    size_divergence: Measurement | None = None
    between_images: Mapping[str, float] | None = None
    unknown_sizes: int = 0
    absent: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def to_frame(self) -> pd.DataFrame:
        """One row a measure, its name as the index: ``value``, ``compare`` (a number), ``compared_with``, ``exact``.

        ``compared_with`` is ``random``, as many images drawn at random, or ``typical``, two images. What cannot be
        measured is left out.
        """
        import pandas as pd

        rows = {}
        for measure in fields(self):
            found = getattr(self, measure.name)
            if not isinstance(found, Measurement):
                continue
            compare, beside = found.at_random, "random"
            if measure.name in TYPICAL:
                compare, beside = (self.between_images or {}).get(TYPICAL[measure.name]), "typical"
            rows[measure.name] = (found.value, compare, beside if compare is not None else None, found.exact)
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "compare", "compared_with", "exact"])
        return frame.rename_axis("measure")

    def categories_frame(self) -> pd.DataFrame:
        """One row a category, as in `CategoryMeasures`."""
        import pandas as pd

        columns = [column.name for column in fields(CategoryMeasures)]
        return pd.DataFrame([asdict(item) for item in self.categories], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and text; infinite numbers are the string ``inf``."""
        return cast(dict[str, Any], json_value(self))
