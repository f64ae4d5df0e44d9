"""The view of a selection: its kept and dropped images, and how well the subset represents the full set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset
from detreduce.display.numbers import significant
from detreduce.features.table import FeatureTable
from detreduce.pages.feature_map import shows_looks
from detreduce.pages.selection.duplicate_pairs import PAIRS_SHOWN, ShownDuplicates, duplicate_searches
from detreduce.pages.selection.measures import Measure, measures_of
from detreduce.pages.selection.shares import Shares, category_shares, class_shares, group_shares, size_shares
from detreduce.selection.explanation import repeats_rank
from detreduce.selection.record import Selection

IntArray = npt.NDArray[np.int64]
ON_A_SHEET = 8
SPREAD = "spread evenly over the dataset"
SHORT = 12
"""The maximum number of rows for a table of shares to be shown next to two others."""
COMPARED = 20_000
"""The maximum number of dropped images that are compared with the kept images."""


@dataclass(frozen=True)
class Sheet:
    """A group of images in the view of a selection.

    Attributes
    ----------
    title, about
        The heading, and a phrase that explains the group.
    rows
        The rows of the images in the dataset.
    notes
        A note for each image. Empty if there are no notes.
    """

    title: str
    about: str
    rows: tuple[int, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SelectionView:
    """The view of one selection on a page.

    Attributes
    ----------
    selection
        The selection.
    of
        The number of images in the full set.
    order
        The rows of the kept images in the dataset, in the order of selection. If all remaining images were kept, the
        rows are sorted by the names of the images.
    sheets
        Groups of images to show. Two groups are the images that were kept first and last. Two other groups are the
        dropped images that are nearest to a kept image, and furthest from all kept images. If there is no order of
        choice, a group of evenly spread kept images is shown instead. If there are no features, a group of evenly
        spread dropped images is shown instead.
    measures
        The measures of how well the selection represents the full set.
    lost
        The names of the classes without a kept box.
    shares
        Tables of the shares of classes, box sizes, categories and groups.
    duplicates
        The searches for duplicate images, with their results.
    background
        The number of images without boxes in the full set, and how many of them are kept. None if there are no labels.
    """

    selection: Selection
    of: int
    order: tuple[int, ...]
    sheets: tuple[Sheet, ...]
    measures: tuple[Measure, ...]
    lost: tuple[str, ...]
    shares: tuple[Shares, ...]
    duplicates: tuple[ShownDuplicates, ...]
    background: tuple[int, int] | None

    @property
    def images(self) -> int:
        """The number of kept images."""
        return len(self.order)

    @property
    def fits_three_tables(self) -> bool:
        """Whether there are exactly three tables of shares, all short enough to fit next to each other on a wide
        screen.
        """
        return len(self.shares) == 3 and all(len(found.rows) <= SHORT for found in self.shares)

    @property
    def shown_rows(self) -> list[int]:
        """The rows of the images that the view shows with a picture."""
        rows = [row for sheet in self.sheets for row in sheet.rows]
        pairs = [pair for search in self.duplicates for pair in search.shown]
        return [*rows, *(row for pair in pairs for row in (pair.first, pair.second))]


def view_selection(
    selection: Selection,
    dataset: DetectionDataset,
    table: FeatureTable | None,
    near: Mapping[str, Any] | None = None,
    *,
    on_a_sheet: int = ON_A_SHEET,
    pairs: int = PAIRS_SHOWN,
) -> SelectionView:
    """Make the view of a selection.

    Parameters
    ----------
    selection, dataset
        The selection, and the dataset from which it was made.
    table
        The features of the dataset. If None, the view has no distances.
    near
        An experiment's search for near-duplicates, as `read_near_duplicates` returns it.
    on_a_sheet, pairs
        The maximum number of images in each group, and the maximum number of pairs of duplicates.
    """
    order = [dataset.row_of[image] for image in selection.image_ids]
    if selection.keeps_all:
        # if the random method kept everything, its order means nothing, so use the order of the dataset, which is
        # sorted by name
        order.sort()
    kept = np.zeros(len(dataset), bool)
    kept[order] = True
    classes = class_shares(dataset, kept)
    empty = dataset.background if dataset.labelled else None
    shares = (
        classes,
        size_shares(dataset, kept),
        category_shares(selection, dataset),
        group_shares(selection, dataset, kept),
    )
    return SelectionView(
        selection=selection,
        of=len(dataset),
        order=tuple(order),
        sheets=tuple(_sheets(selection, order, kept, table, on_a_sheet)),
        measures=measures_of(selection, dataset, kept, table),
        lost=() if classes is None else tuple(row.name for row in classes.rows if row.lost),
        shares=tuple(found for found in shares if found is not None),
        duplicates=duplicate_searches(selection, near, dataset, pairs),
        background=None if empty is None else (int(empty.sum()), int((empty & kept).sum())),
    )


def _sheets(
    selection: Selection,
    order: Sequence[int],
    kept: npt.NDArray[np.bool_],
    table: FeatureTable | None,
    size: int,
) -> list[Sheet]:
    """Return the groups of images to show, with at most `size` images each. `kept` (n,) marks the kept rows."""
    sheets = (
        [Sheet("Kept", SPREAD, _spread(kept, size))] if selection.keeps_all else _first_and_last(selection, order, size)
    )
    if kept.all():
        return sheets
    if table is None or not selection.used_features:
        return [*sheets, Sheet("Dropped", SPREAD, _spread(~kept, size))]
    if table.X.shape[1] == 0 or kept[table.rows].all() or not kept[table.rows].any():
        return sheets
    looks = shows_looks(table.blocks)
    by = "" if looks else ", by the features of their boxes"
    gaps, distances = _gaps(table, kept)
    near = np.argsort(distances, kind="stable")
    for title, about, places in (
        ("Dropped, nearest to a kept image", "best represented by the kept images", near[:size]),
        ("Dropped, furthest from all kept images", "content that the subset may lack", near[::-1][:size]),
    ):
        notes = tuple(f"distance {significant(distances[place])}" for place in places if looks)
        sheets.append(Sheet(title, about + by, tuple(gaps[places].tolist()), notes))
    return sheets


def _first_and_last(selection: Selection, order: Sequence[int], size: int) -> list[Sheet]:
    """Return the group of images that were kept first and the group of images that were kept last."""
    ends = [("First kept", "chosen before all others", 0)]
    if len(order) > size:
        ends.append(("Last kept", "chosen last", max(size, len(order) - size)))
    sheets = []
    for title, about, start in ends:
        rows = order[start : start + size]
        notes = tuple(_rank_in_words(selection, row, rank) for rank, row in enumerate(rows, start + 1))
        sheets.append(Sheet(title, about, tuple(rows), notes))
    return sheets


def _spread(wanted: npt.NDArray[np.bool_], size: int) -> tuple[int, ...]:
    """Return at most `size` of the `wanted` rows, spread evenly over the dataset."""
    rows = np.flatnonzero(wanted)
    return tuple(rows[np.unique(np.linspace(0, len(rows) - 1, min(size, len(rows))).astype(int))].tolist())


def _gaps(table: FeatureTable, kept: npt.NDArray[np.bool_]) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """Return the rows of the dropped images, and the distance from each of them to its nearest kept image.

    If there are more than `COMPARED` dropped images, return a random sample of this size.
    """
    from sklearn.metrics import pairwise_distances_argmin_min

    places = np.flatnonzero(~kept[table.rows])
    if len(places) > COMPARED:
        places = np.sort(np.random.default_rng(0).choice(places, COMPARED, replace=False))
    # use float64, so that the order of nearly equal distances does not depend on rounding
    dropped, chosen = (table.X[part].astype(np.float64) for part in (places, kept[table.rows]))
    _, distances = pairwise_distances_argmin_min(dropped, chosen)
    return table.rows[places], distances


def _rank_in_words(selection: Selection, row: int, rank: int) -> str:
    """Return the rank of an image in the order of choice, for example ``3 of 200``.

    The score is added, unless it merely repeats the rank.
    """
    place, score = f"{rank} of {len(selection)}", float(selection.scores[row])
    if not math.isfinite(score) or repeats_rank(score, rank):
        return place
    return f"{place}, score {significant(score, 4)}"
