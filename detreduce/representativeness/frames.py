"""What was measured of a selection as pandas frames."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from detreduce.representativeness.measurement import Measurement
from detreduce.representativeness.result import CategoryMeasures, Representativeness

if TYPE_CHECKING:
    import pandas as pd

# measure -> the distance between two images that it is typically of
TYPICAL = {"epsilon": "chebyshev", "covering_radius": "euclidean"}


def measures_frame(measured: Representativeness) -> pd.DataFrame:
    """One row a measure."""
    import pandas as pd

    rows = {}
    for field in fields(measured):
        found = getattr(measured, field.name)
        if not isinstance(found, Measurement):
            continue
        compare, beside = found.at_random, "random"
        if field.name in TYPICAL:
            compare, beside = (measured.between_images or {}).get(TYPICAL[field.name]), "typical"
        rows[field.name] = (found.value, compare, beside if compare is not None else None, found.exact)
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "compare", "compared_with", "exact"])
    return frame.rename_axis("measure")


def categories_frame(measured: Representativeness) -> pd.DataFrame:
    """One row a category."""
    import pandas as pd

    columns = [field.name for field in fields(CategoryMeasures)]
    return pd.DataFrame([asdict(item) for item in measured.categories], columns=columns)
