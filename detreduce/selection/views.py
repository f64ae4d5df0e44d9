"""Show a selection in a notebook: as HTML, as a bar chart, or as a pandas frame."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from detreduce.dataset.views.frames import id_column, text_column
from detreduce.dataset.views.notebook import contact_sheet
from detreduce.display.html import block, facts, table
from detreduce.display.numbers import counted
from detreduce.errors import DetreduceError
from detreduce.selection.saved.data import SelectionData
from detreduce.selection.saved.dataset import check_dataset, find_dataset

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CATEGORIES = 30
ON_A_SHEET = 8
MOST_IMAGES = 20_000
"""The largest dataset that is loaded just to show pictures. Larger datasets would take seconds to load."""


def selection_html(selection: SelectionData) -> str:
    """Return HTML with small pictures of kept and dropped images, and two tables.

    The first table shows the method and its options. The second table shows how many images of each category are in the
    full set and in the subset. There are no pictures if the dataset cannot be found, has changed, or is very large.
    """
    provenance, categories = selection.provenance, selection.categories
    made_on = provenance.get("dataset", {})
    content: dict[str, object] = {
        "method": selection.method,
        **selection.parameters,
        "keep": selection.keep,
        "seed": selection.seed,
        "steps": ", ".join(str(step.get("step")) for step in selection.steps),
        "categories": categories.get("rule"),
        "features": ", ".join(provenance.get("features", {}).get("blocks", ())) or "none",
        "dataset": made_on.get("path"),
        "split": made_on.get("split"),
    }
    if skipped := len(provenance.get("skipped_images", ())):
        content["images that could not be read"] = skipped
    full, kept = (categories.get(part, {}) for part in ("full", "kept"))
    order = sorted(full, key=lambda name: -full[name])
    rows = [(name, full[name], kept[name], f"{kept[name] / max(full[name], 1):.0%}") for name in order]
    return block(
        f"Selection: {len(selection.image_ids)} of {counted(len(selection.scores), 'image')}",
        *_contact_sheets(selection),
        facts({name: value for name, value in content.items() if value not in (None, "")}),
        table(("category", "images", "kept", "share"), rows, shown=CATEGORIES, what="categories"),
    )


def _contact_sheets(selection: SelectionData) -> Iterator[str]:
    """Yield HTML with pictures of kept and dropped images.

    The kept images are the images that were kept first. The dropped images are spread evenly over the dataset.
    """
    if len(selection.scores) > MOST_IMAGES:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = find_dataset(selection.provenance)
            check_dataset(dataset, selection.provenance, len(selection.scores))
    except (DetreduceError, OSError):
        return
    dropped = np.setdiff1d(np.arange(len(dataset)), selection.indices)
    spread = dropped[np.unique(np.linspace(0, len(dropped) - 1, min(ON_A_SHEET, len(dropped))).astype(int))]
    # if the random method kept everything, show the images in the order of the dataset, because its own order means
    # nothing
    kept = np.sort(selection.indices) if selection.keeps_all else selection.indices
    for title, rows in (
        ("Kept" if selection.keeps_all else "First kept", kept[:ON_A_SHEET]),
        ("Some dropped", spread),
    ):
        if len(rows):
            yield f"<div>{title}</div>{contact_sheet(dataset.examples(rows.tolist()))}"


def categories_figure(categories: Mapping[str, Any]) -> Figure:
    """Draw a bar chart of the number of images of each category, in the full set and in the subset."""
    from detreduce.figures import category_bars

    full, kept = (categories.get(part, {}) for part in ("full", "kept"))
    return category_bars(list(full), list(full.values()), [kept[name] for name in full])


def selection_frame(selection: SelectionData, images: Sequence[tuple[int | str, str]] | None) -> pd.DataFrame:
    """Return a pandas frame with one row for each image, kept or dropped, in the order of the dataset.

    `images` contains the id and the name of each image. It is None if they are not known.
    """
    import pandas as pd

    n = len(selection.scores)
    rank: list[int | None] = [None] * n
    ids: list[int | str | None] = [None] * n
    for place, (row, image_id) in enumerate(zip(selection.indices.tolist(), selection.image_ids, strict=True)):
        rank[row], ids[row] = place + 1, image_id
    columns: dict[str, pd.Series | pd.api.extensions.ExtensionArray] = {}
    if images is None:
        columns["image_id"] = id_column(ids)
    else:
        columns["image_id"] = id_column(image_id for image_id, _ in images)
        columns["name"] = text_column(name for _, name in images)
    columns["kept"] = pd.Series([place is not None for place in rank], dtype=bool)
    columns["rank"] = pd.array(rank, dtype="Int64")
    columns["score"] = pd.Series(selection.scores)
    if selection.category_codes is not None:
        names = list(selection.categories.get("full", ()))
        codes = selection.category_codes.tolist()
        columns["category"] = text_column(names[code] if 0 <= code < len(names) else None for code in codes)
    return pd.DataFrame(columns)
