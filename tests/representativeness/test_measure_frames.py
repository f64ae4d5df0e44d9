"""What was measured, as frames."""

from __future__ import annotations

import math

import pandas as pd

from detreduce.representativeness.measurement import Measurement
from detreduce.representativeness.result import CategoryMeasures, Representativeness

MEASURED = Representativeness(
    images=10,
    kept=3,
    categories=(CategoryMeasures("a", 8, 3, 0.5, 0.75, 1.0), CategoryMeasures("$b$", 2, 0, math.inf)),
    lost=("$b$",),
    epsilon=Measurement(value=0.5, images=10, kept=3),
    covering_radius=Measurement(value=math.inf, images=10, kept=3),
    class_divergence=Measurement(value=0.1, images=10, kept=3, exact=False, at_random=0.2),
    size_divergence=Measurement(value=0.3, images=10, kept=3),
    between_images={"chebyshev": 1.5, "euclidean": 2.5},
)


def test_a_row_a_measure_with_what_it_is_compared_with() -> None:
    frame = MEASURED.to_frame()
    assert frame.index.tolist() == ["epsilon", "covering_radius", "class_divergence", "size_divergence"]
    assert frame["value"].tolist() == [0.5, math.inf, 0.1, 0.3]
    assert frame["compare"].tolist()[:3] == [1.5, 2.5, 0.2] and math.isnan(frame["compare"].iloc[3])
    assert frame["compared_with"].tolist()[:3] == ["typical", "typical", "random"]
    assert pd.isna(frame["compared_with"].iloc[3])
    assert frame["exact"].tolist() == [True, True, False, True]
    assert Representativeness(1, 1, (), ()).to_frame().empty


def test_a_row_a_category() -> None:
    frame = MEASURED.categories_frame()
    assert frame["name"].tolist() == ["a", "$b$"] and frame["kept"].tolist() == [3, 0]
    assert frame["epsilon"].tolist() == [0.5, math.inf] and math.isnan(frame["coverage"][1])
