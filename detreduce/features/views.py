"""Views of a feature table for notebooks: a map of the images, and a pandas frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detreduce.arrays.proxy_log import DYNAMICS_COLUMNS, OVERS
from detreduce.dataset.views.frames import id_column
from detreduce.errors import InputError, nearest
from detreduce.features.projection import principal_plane

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def features_figure(X: npt.ArrayLike, kept: npt.NDArray[np.bool_] | None = None) -> Figure:
    """Draw each image as a point, at its first two principal components of the (n, d) features `X`.

    `kept` (n,) marks the kept images with True.
    """
    from detreduce.figures import feature_map

    plane = principal_plane(X)
    return feature_map(plane.points, kept, explained=plane.explained)


def features_frame(
    blocks: Mapping[str, npt.NDArray[np.float32]],
    block: str | None,
    image_ids: Iterable[int | str],
    annotation_names: Sequence[str],
) -> pd.DataFrame:
    """Return a pandas frame with one row per image and one column per feature of a block.

    If `block` is None, the frame has the features of all blocks. `annotation_names` are the column names of the block
    ``annotations``.
    """
    import pandas as pd

    if block is not None and block not in blocks:
        known = list(blocks)
        raise InputError(f"The table has no block {block!r}.{nearest(block, known)} It has: {', '.join(known)}.")
    index = pd.Index(id_column(image_ids), name="image_id")
    wanted = blocks if block is None else {block: blocks[block]}
    frames = [
        pd.DataFrame(values, index=index, columns=_columns(name, values.shape[1], annotation_names))
        for name, values in wanted.items()
    ]
    return pd.concat(frames, axis=1) if frames else pd.DataFrame(index=index)


def _columns(block: str, width: int, annotation_names: Sequence[str]) -> list[str]:
    """Return the column names of a block.

    For a block without known names, number the columns, for example ``image_0``.
    """
    named = {"annotations": list(annotation_names), "dynamics": list(DYNAMICS_COLUMNS)}
    named["uncertainty"] = [f"uncertainty_{over}" for over in OVERS]
    names = named.get(block, [])
    return names if len(names) == width else [f"{block}_{number}" for number in range(width)]
