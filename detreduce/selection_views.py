"""A selection as a notebook shows it: a table, a map or bars, a pandas frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.views import id_column, text_column
from detreduce.explanation import check_dataset
from detreduce.features.table import FeatureTable
from detreduce.html import block, facts, table
from detreduce.selection import Selection

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CATEGORIES = 30


def selection_html(selection: Selection) -> str:
    """What was chosen, by what, from what, and how much of each category."""
    of = len(selection.scores)
    made_on = selection.provenance.get("dataset", {})
    blocks = selection.provenance.get("features", {}).get("blocks", ())
    content: dict[str, object] = {
        "method": selection.method,
        **selection.parameters,
        "keep": selection.keep,
        "seed": selection.seed,
        "steps": ", ".join(str(step.get("step")) for step in selection.steps),
        "categories": selection.categories.get("rule"),
        "features": ", ".join(blocks) or "none",
        "dataset": made_on.get("path"),
        "split": made_on.get("split"),
    }
    if skipped := len(selection.provenance.get("skipped_images", ())):
        content["images that could not be read"] = skipped
    full, kept = (selection.categories.get(part, {}) for part in ("full", "kept"))
    order = sorted(full, key=lambda name: -full[name])
    rows = [(name, full[name], kept[name], f"{kept[name] / max(full[name], 1):.0%}") for name in order]
    return block(
        f"Selection: {len(selection)} of {of} images",
        facts({name: value for name, value in content.items() if value not in (None, "")}),
        table(("category", "images", "kept", "share"), rows, shown=CATEGORIES, what="categories"),
    )


def selection_figure(selection: Selection, features: FeatureTable | None) -> Figure:
    """A map of the features with kept and dropped images, or bars of the categories."""
    from detreduce.figures import category_bars, feature_map

    if features is not None:
        from detreduce.features.plane import principal_plane

        check_dataset(selection, features.dataset)
        chosen = np.zeros(len(selection.scores), bool)
        chosen[selection.indices] = True
        plane = principal_plane(features.X)
        return feature_map(plane.points, chosen[features.rows], explained=plane.explained)
    full, kept = (selection.categories.get(part, {}) for part in ("full", "kept"))
    return category_bars(list(full), list(full.values()), [kept[name] for name in full])


def selection_frame(selection: Selection, dataset: DetectionDataset | None) -> pd.DataFrame:
    """One row an image, kept or not, in the dataset's order."""
    import pandas as pd

    n = len(selection.scores)
    rank: list[int | None] = [None] * n
    ids: list[int | str | None] = [None] * n
    for place, (row, image_id) in enumerate(zip(selection.indices.tolist(), selection.image_ids, strict=True)):
        rank[row], ids[row] = place + 1, image_id
    columns: dict[str, pd.Series | pd.api.extensions.ExtensionArray] = {}
    if dataset is None:
        columns["image_id"] = id_column(ids)
    else:
        check_dataset(selection, dataset)
        columns["image_id"] = id_column(dataset.image_ids)
        columns["name"] = text_column(record.name for record in dataset)
    columns["kept"] = pd.Series([place is not None for place in rank], dtype=bool)
    columns["rank"] = pd.array(rank, dtype="Int64")
    columns["score"] = pd.Series(selection.scores)
    if selection.category_codes is not None:
        names = list(selection.categories.get("full", ()))
        codes = selection.category_codes.tolist()
        columns["category"] = text_column(names[code] if 0 <= code < len(names) else None for code in codes)
    return pd.DataFrame(columns)
