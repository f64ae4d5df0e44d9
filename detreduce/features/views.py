"""A table of features as a notebook shows it: a map and a pandas frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detreduce.dataset.views import id_column
from detreduce.errors import InputError, nearest
from detreduce.features.annotations import annotation_columns
from detreduce.features.plane import principal_plane
from detreduce.features.table import FeatureTable
from detreduce.proxy_log import DYNAMICS_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def features_figure(features: FeatureTable) -> Figure:
    """A map of all images in the two principal components of X."""
    from detreduce.figures import feature_map

    plane = principal_plane(features.X)
    return feature_map(plane.points, explained=plane.explained)


def features_frame(features: FeatureTable, block: str | None) -> pd.DataFrame:
    """One row an image, one column a number of the block, or of all blocks."""
    import pandas as pd

    if block is not None and block not in features.blocks:
        known = list(features.blocks)
        raise InputError(f"The table has no block {block!r}.{nearest(block, known)} There are: {', '.join(known)}.")
    index = pd.Index(id_column(features.image_ids), name="image_id")
    wanted = features.blocks if block is None else {block: features.blocks[block]}
    frames = [
        pd.DataFrame(values, index=index, columns=_columns(features, name, values.shape[1]))
        for name, values in wanted.items()
    ]
    return pd.concat(frames, axis=1) if frames else pd.DataFrame(index=index)


def _columns(features: FeatureTable, block: str, width: int) -> list[str]:
    """The block's own names of its columns where it has them, else its name and their numbers."""
    named = {"annotations": annotation_columns(features.dataset.class_names), "dynamics": list(DYNAMICS_COLUMNS)}
    names = named.get(block, [])
    return names if len(names) == width else [f"{block}_{number}" for number in range(width)]
