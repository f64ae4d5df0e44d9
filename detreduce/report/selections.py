"""The views of selections in a report: kept images, dropped images, and how well the subset represents the full set."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset
from detreduce.display.numbers import significant
from detreduce.experiment.ledger.ledger import FinishedCell, Ledger
from detreduce.features.projection import principal_plane
from detreduce.features.table import FeatureTable
from detreduce.report.duplicate_pairs import DuplicateSearch, duplicate_searches
from detreduce.representativeness import class_divergence, coverage, covering_radius, size_divergence
from detreduce.selection.record import Selection
from detreduce.vocabulary.controls import ON_ALL_IMAGES
from detreduce.vocabulary.keeps import keep_key

IntArray = npt.NDArray[np.int64]
ON_A_SHEET = 8
MAP_POINTS, MAPS_POINTS = 1500, 24_000
"""Largest number of points on one map, and on all maps of a page."""
COMPARED = 20_000
"""Largest number of dropped images that are compared with the kept images."""


@dataclass(frozen=True)
class FeatureMap:
    """A map of images by the first two principal components of their features.

    Attributes
    ----------
    rows
        (n,) dataset rows of the points.
    points
        (n, 2) positions of the points, from 0 to 1.
    explained
        Share of the variance along each axis.
    blocks
        The feature blocks used.
    """

    rows: IntArray
    points: npt.NDArray[np.float64]
    explained: tuple[float, float]
    blocks: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A group of images in the view of a selection.

    Attributes
    ----------
    title, about
        The heading, and a phrase that explains the group.
    rows
        Dataset rows of the images.
    notes
        A note for each image; empty without notes.
    """

    title: str
    about: str
    rows: tuple[int, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SelectionView:
    """The view of one selection in the report.

    Attributes
    ----------
    key
        The key of the cell that was trained on the selection.
    label, keep
        The label of the method, and its keep.
    images, of
        Number of kept images, and number of images in the full set.
    seed
        The selection seed.
    cells
        Number of cells with this method and keep.
    order
        Dataset rows of the kept images, in the order of selection.
    sheets
        Groups of images: images that were kept first, images that were kept last, and dropped images that are
        nearest to a kept image or furthest from all kept images.
    measures
        (name, value, meaning) of each measure of representativeness.
    lost
        Classes without a kept box.
    class_counts
        (C,) number of kept boxes of each class.
    sizes
        sqrt(box area / image area) of each kept box.
    duplicates
        The searches for duplicate images, with their results.
    """

    key: str
    label: str
    keep: float | int
    images: int
    of: int
    seed: int
    cells: int
    order: tuple[int, ...]
    sheets: tuple[Sheet, ...]
    measures: tuple[tuple[str, str, str], ...]
    lost: tuple[str, ...]
    class_counts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.float64]
    duplicates: tuple[DuplicateSearch, ...]

    @cached_property
    def kept_rows(self) -> frozenset[int]:
        """The rows of `order` as a set."""
        return frozenset(self.order)


def shown_cells(cells: Sequence[FinishedCell], limit: int) -> tuple[list[tuple[FinishedCell, int]], int]:
    """Return the cells whose selections the report shows, and the number of selections that are left out.

    Each method at each keep is shown by the cell with the lowest seeds. The cell comes with the number of cells of that
    method and keep. If there are more than `limit` selections, one method of each keep is taken first, then a second
    method of each keep, and so on.
    """
    groups: dict[tuple[str, str], list[FinishedCell]] = {}
    for cell in cells:
        if cell.cell["control"] not in ON_ALL_IMAGES:
            groups.setdefault((cell.cell["label"], keep_key(cell.cell["keep"])), []).append(cell)
    found = [(min(group, key=_seeds), len(group)) for group in groups.values()]
    found.sort(key=lambda entry: -_images(entry[0]))
    turns, seen = [], Counter[int]()
    for cell, _ in found:
        turns.append(seen[_images(cell)])
        seen[_images(cell)] += 1
    shown = sorted(sorted(range(len(found)), key=turns.__getitem__)[:limit])
    return [found[place] for place in shown], len(found) - len(shown)


def _images(cell: FinishedCell) -> int:
    """Return the number of images that a cell was trained on."""
    return int(cell.selection.get("images", 0))


def _seeds(cell: FinishedCell) -> tuple[int, int]:
    """Return the selection seed and the training seed of a cell."""
    return cell.cell.get("selection_seed") or 0, cell.cell["training_seed"]


def read_selection(ledger: Ledger, cell: FinishedCell) -> Selection:
    """Return the selection that a cell was trained on."""
    return Selection.load(ledger.cell_folder(cell.key) / "selection.json")


def single_box_sizes(dataset: DetectionDataset) -> npt.NDArray[np.float64]:
    """Return the (B,) size of each box: sqrt(box area / image area).

    The size is NaN for crowd regions, and for boxes in images of unknown size.
    """
    return np.where(dataset.box_crowd, np.nan, dataset.box_sizes)


def feature_map_of(table: FeatureTable, first: Collection[int], maps: int = 1, seed: int = 0) -> FeatureMap:
    """Return a map of images by the first two principal components of their scaled features.

    `maps` is the number of maps in the page. The more maps, the fewer points each map has. The dataset rows in `first`
    are taken first, then a random sample of the other images.
    """
    plane = principal_plane(table.X)
    low, high = plane.points.min(axis=0), plane.points.max(axis=0)
    scaled = (plane.points - low) / np.where(high > low, high - low, 1.0)
    order = np.random.default_rng(seed).permutation(len(table))
    wanted = np.isin(table.rows[order], np.array(list(first), np.int64))
    order = order[np.argsort(~wanted, kind="stable")]
    drawn = np.sort(order[: max(1, min(MAP_POINTS, MAPS_POINTS // max(1, maps)))])
    return FeatureMap(table.rows[drawn], scaled[drawn], plane.explained, tuple(table.blocks))


def view_selection(
    cell: FinishedCell,
    cells: int,
    selection: Selection,
    dataset: DetectionDataset,
    table: FeatureTable | None,
    near: Mapping[str, Any],
) -> SelectionView:
    """Return the view of a selection.

    Parameters
    ----------
    cell
        The cell that was trained on the selection.
    cells
        Number of cells with the same method and keep.
    selection, dataset
        The selection, and the dataset that it was made from.
    table
        The features of the dataset; without features the view has no distances.
    near
        The experiment's search for near-duplicates, as `read_near_duplicates` returns it.
    """
    order = [dataset.row_of[image] for image in selection.image_ids]
    kept = np.zeros(len(dataset), bool)
    kept[order] = True
    counts = dataset.class_counts
    full, kept_counts = counts.sum(axis=0), counts[kept].sum(axis=0)
    return SelectionView(
        key=cell.key,
        label=str(cell.cell["label"]),
        keep=selection.keep,
        images=len(selection),
        of=len(dataset),
        seed=selection.seed,
        cells=cells,
        order=tuple(order),
        sheets=tuple(_sheets(selection, order, kept, table)),
        measures=tuple(_measures(selection, dataset, kept, table)),
        lost=tuple(
            name
            for name, before, after in zip(dataset.class_names, full, kept_counts, strict=True)
            if before and not after
        ),
        class_counts=kept_counts,
        sizes=single_box_sizes(dataset)[kept[dataset.box_rows]],
        duplicates=duplicate_searches(selection, near, dataset),
    )


def _sheets(
    selection: Selection, order: Sequence[int], kept: npt.NDArray[np.bool_], table: FeatureTable | None
) -> list[Sheet]:
    """Return the groups of images to show; `kept` is (n,) bool by dataset row."""
    ends = [("First kept", "chosen before all others", order[:ON_A_SHEET])]
    if len(order) > ON_A_SHEET:
        ends.append(("Last kept", "chosen last", order[-ON_A_SHEET:]))
    sheets = [
        Sheet(title, about, tuple(rows), tuple(_score_in_words(selection, row) for row in rows))
        for title, about, rows in ends
    ]
    if table is None or table.X.shape[1] == 0 or kept[table.rows].all() or not kept[table.rows].any():
        return sheets
    rows, distances = _gaps(table, kept)
    near = np.argsort(distances, kind="stable")
    for title, about, places in (
        ("Dropped, nearest to a kept image", "best represented by the kept images", near[:ON_A_SHEET]),
        ("Dropped, furthest from all kept images", "what may be missing", near[::-1][:ON_A_SHEET]),
    ):
        notes = tuple(f"distance {significant(distances[place])}" for place in places)
        sheets.append(Sheet(title, about, tuple(rows[places].tolist()), notes))
    return sheets


def _gaps(table: FeatureTable, kept: npt.NDArray[np.bool_]) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """Return the dataset rows of dropped images, and the distance of each image to its nearest kept image.

    If there are more than `COMPARED` dropped images, return a random sample of them.
    """
    from sklearn.metrics import pairwise_distances_argmin_min

    places = np.flatnonzero(~kept[table.rows])
    if len(places) > COMPARED:
        places = np.sort(np.random.default_rng(0).choice(places, COMPARED, replace=False))
    X = table.X.astype(np.float64)
    _, distances = pairwise_distances_argmin_min(X[places], X[kept[table.rows]])
    return table.rows[places], distances


def _score_in_words(selection: Selection, row: int) -> str:
    """Return the score of an image as text; empty if the image has no score."""
    score = float(selection.scores[row])
    return f"score {significant(score, 4)}" if math.isfinite(score) else ""


def _measures(
    selection: Selection, dataset: DetectionDataset, kept: npt.NDArray[np.bool_], table: FeatureTable | None
) -> list[tuple[str, str, str]]:
    """Return (name, value, meaning) for each measure of representativeness that is fast to compute.

    `detreduce.measure_representativeness` computes further measures.
    """
    found = []
    if table is not None and table.X.shape[1] and len(table) <= COMPARED and kept[table.rows].any():
        codes = None if selection.category_codes is None else selection.category_codes[table.rows]
        chosen = np.flatnonzero(kept[table.rows])
        covered = coverage(table.X, codes, chosen)
        random = "" if covered.at_random is None else f"; {covered.at_random:.0%} for a random subset"
        about = f"share of the images that have a kept image among their nearest neighbours{random}"
        found.append(("coverage", f"{covered.value:.0%}", about))
        radius = covering_radius(table.X, codes, chosen)
        found.append(
            (
                "covering radius",
                "infinite" if math.isinf(radius) else significant(radius),
                "largest gap: the largest distance to the nearest kept image of the same category",
            )
        )
    if kept.any() and dataset.labelled and len(dataset.box_rows):
        rows = np.flatnonzero(kept)
        found.append(
            (
                "class divergence",
                f"{significant(class_divergence(dataset.class_counts, rows))} bit",
                "difference between the class shares of the kept boxes and all boxes; 0 means equal",
            )
        )
        sizes = single_box_sizes(dataset)
        known = np.isfinite(sizes)
        if known.any():
            value = size_divergence(sizes[known], dataset.box_rows[known], rows)
            about = "difference between the box sizes of the kept boxes and all boxes; 0 means equal"
            found.append(("size divergence", f"{significant(value)} bit", about))
    return found
