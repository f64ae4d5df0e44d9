"""The results of all measures for one selection."""

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

# measure -> metric of the median distance between two images, with which the measure is compared
TYPICAL = {"epsilon": "chebyshev", "covering_radius": "euclidean"}


@dataclass(frozen=True, slots=True)
class CategoryMeasures:
    """The measures of one image category.

    Attributes
    ----------
    name
        Name of the category.
    images
        Number of images in the category.
    kept
        Number of kept images in the category.
    epsilon
        Largest L-infinity distance from an image to the nearest kept image. It is inf if no image is kept, and None if
        there are no features.
    covering_radius
        Largest Euclidean distance from an image to the nearest kept image. It is inf if no image is kept, and None if
        there are no features.
    coverage
        Share of the images that have a kept image among their nearest images. It is None if there are no features.
    """

    name: str
    images: int
    kept: int
    epsilon: float | None = None
    covering_radius: float | None = None
    coverage: float | None = None


@dataclass(frozen=True, slots=True)
class Representativeness:
    """How well a selection represents the full set, by several measures.

    If a measure cannot be computed, it is None, and `absent` says why.

    Attributes
    ----------
    images
        Number of images in the full set.
    kept
        Number of kept images.
    categories
        The measures of each image category.
    lost
        Names of the categories without a kept image.
    epsilon
        Largest L-infinity distance from an image to the nearest kept image of its category. It is exact. It is inf if a
        category has no kept image. Compare it with `between_images`.
    covering_radius
        The covering radius (largest gap): the same as `epsilon`, but with the Euclidean distance.
    coverage
        Share of the images that have a kept image among the nearest images of their category.
    discrepancy
        Maximum mean discrepancy of the features.
    diagram_distance
        Distance between the persistence diagrams of the features.
    class_divergence
        Jensen-Shannon divergence in bits between the class shares of the kept boxes and of all boxes.
    size_divergence
        Jensen-Shannon divergence in bits between the size distributions of the kept boxes and of all boxes.
    between_images
        Median distance between two images, for the metrics ``chebyshev`` and ``euclidean``. A random sample is used if
        there are many images.
    unknown_sizes
        Number of boxes in images of unknown size. `size_divergence` ignores them.
    absent
        Name of a measure that is None -> the reason.
    seconds
        Time of the measurement in seconds.
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
        """Return a pandas frame with one row for each measure, except the measures that are None.

        The columns are ``value``, ``compare``, ``compared_with`` and ``exact``. ``compare`` is a second value, with
        which to compare ``value``. ``compared_with`` says what ``compare`` is. For ``random``, it is the value of a
        random selection of the same size. For ``typical``, it is the median distance between two images.
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
        """Return a pandas frame with one row for each image category. Its columns are the fields of
        `CategoryMeasures`.
        """
        import pandas as pd

        columns = [column.name for column in fields(CategoryMeasures)]
        return pd.DataFrame([asdict(item) for item in self.categories], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the results as values that can be written as JSON. Infinity becomes the string ``inf``."""
        return cast(dict[str, Any], json_value(self))
