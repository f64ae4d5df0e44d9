"""Representativeness: the results of all measures of one selection, ready for JSON."""

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

# measure -> the distance between two images that it is compared with
TYPICAL = {"epsilon": "chebyshev", "covering_radius": "euclidean"}


@dataclass(frozen=True, slots=True)
class CategoryMeasures:
    """One category: its images, the number of kept ones, and how near these are to the others.

    Attributes
    ----------
    name, images, kept
        Name of the category, number of its images, and number of kept ones.
    epsilon, covering_radius
        Largest L-infinity and Euclidean distance to the nearest kept image; inf if none is kept, None without features.
    coverage
        Share of the images with a kept image among their nearest; None without features.
    """

    name: str
    images: int
    kept: int
    epsilon: float | None = None
    covering_radius: float | None = None
    coverage: float | None = None


@dataclass(frozen=True, slots=True)
class Representativeness:
    """How well a selection represents all images. A measure that cannot be taken is None; `absent` has the reason.

    Attributes
    ----------
    images, kept
        Number of images to choose from, and of chosen ones.
    categories
        One entry for each category.
    lost
        Names of the categories without a kept image.
    epsilon, covering_radius
        Largest L-infinity and Euclidean distance of an image to the nearest kept one of its category, exact; inf if a
        category is lost. Compare them with `between_images`.
    coverage
        Share of images with a kept image among the nearest of their category.
    discrepancy
        Maximum mean discrepancy of the features.
    diagram_distance
        Distance between the persistence diagrams of the features.
    class_divergence, size_divergence
        Jensen-Shannon divergence in bits between kept and all boxes, by class and by size.
    between_images
        ``chebyshev`` and ``euclidean``: median distance between two images, from a seeded sample.
    unknown_sizes
        Number of boxes in images of unknown size; `size_divergence` leaves them out.
    absent
        Measure -> why it is None.
    seconds
        Time that measuring took.
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
        """Return one row for each measure, by name: ``value``, ``compare`` (a number), ``compared_with``, ``exact``.

        ``compared_with`` is ``random``, a random selection of the same size, or ``typical``, the median distance
        between two images. Measures that are None have no row.
        """
        import pandas as pd

        rows = {}
        for measure in fields(self):
            result = getattr(self, measure.name)
            if not isinstance(result, Measurement):
                continue
            compare, compared_with = result.at_random, "random"
            if measure.name in TYPICAL:
                compare, compared_with = (self.between_images or {}).get(TYPICAL[measure.name]), "typical"
            kind = compared_with if compare is not None else None
            rows[measure.name] = (result.value, compare, kind, result.exact)
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "compare", "compared_with", "exact"])
        return frame.rename_axis("measure")

    def categories_frame(self) -> pd.DataFrame:
        """Return one row for each category, with the columns of `CategoryMeasures`."""
        import pandas as pd

        columns = [column.name for column in fields(CategoryMeasures)]
        return pd.DataFrame([asdict(item) for item in self.categories], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return dicts, lists, numbers and text for JSON; an infinite number is the string ``inf``."""
        return cast(dict[str, Any], json_value(self))
