"""What a report shows of a selection: images kept, images dropped, and how well the subset represents the full set."""

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
"""Most points on one map and on all maps of a page: images with a picture first, then a random draw."""
COMPARED = 20_000
"""Most dropped images that are compared with the kept ones."""


@dataclass(frozen=True)
class FeatureMap:
    """Images as points of two principal components.

    Attributes
    ----------
    rows
        (n,) dataset rows of the points.
    points
        (n, 2), within 0 and 1.
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
    """A few images of one kind: a heading, what they have in common, their dataset rows, and a note on each."""

    title: str
    about: str
    rows: tuple[int, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SelectionView:
    """What the report shows of one selection.

    Attributes
    ----------
    key
        The cell of the selection.
    label, keep, images, of, seed, cells
        Method, keep, images kept out of all images, selection seed, and the number of cells with that method and keep.
    order
        Dataset rows of the kept images, in the order chosen.
    sheets
        Images kept first and last, and dropped images nearest to and furthest from the kept ones.
    measures
        Name, value and meaning of each measure of representativeness.
    lost
        Classes without a kept box.
    class_counts
        (C,) kept boxes of each class.
    sizes
        sqrt(box area / image area) of the kept boxes.
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
        """The rows of `order`, for lookup."""
        return frozenset(self.order)


def shown_cells(cells: Sequence[FinishedCell], limit: int) -> tuple[list[tuple[FinishedCell, int]], int]:
    """Return one cell per method and keep (lowest seeds) with the number of its cells, and how many are left out.

    Keeps take turns, largest first, so that no keep is left out completely.
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
    return int(cell.selection.get("images", 0))


def _seeds(cell: FinishedCell) -> tuple[int, int]:
    return cell.cell.get("selection_seed") or 0, cell.cell["training_seed"]


def read_selection(ledger: Ledger, cell: FinishedCell) -> Selection:
    """Return the selection that a cell was trained on."""
    return Selection.load(ledger.cell_folder(cell.key) / "selection.json")


def single_box_sizes(dataset: DetectionDataset) -> npt.NDArray[np.float64]:
    """(B,) square root of each box's share of its image; NaN of crowd regions and where the image's size is unknown."""
    return np.where(dataset.box_crowd, np.nan, dataset.box_sizes)


def feature_map_of(table: FeatureTable, first: Collection[int], maps: int = 1, seed: int = 0) -> FeatureMap:
    """Return two principal components of the scaled features, for the images that each of the `maps` can show.

    Dataset rows of `first` come before a random draw of the others.
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
    """Return the view of a selection; without features it has no distances. `near` is the near-duplicate search."""
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
    """Return dropped dataset rows (a seeded draw if there are many) and the distance to the nearest kept image."""
    from sklearn.metrics import pairwise_distances_argmin_min

    places = np.flatnonzero(~kept[table.rows])
    if len(places) > COMPARED:
        places = np.sort(np.random.default_rng(0).choice(places, COMPARED, replace=False))
    X = table.X.astype(np.float64)
    _, distances = pairwise_distances_argmin_min(X[places], X[kept[table.rows]])
    return table.rows[places], distances


def _score_in_words(selection: Selection, row: int) -> str:
    score = float(selection.scores[row])
    return f"score {significant(score, 4)}" if math.isfinite(score) else ""


def _measures(
    selection: Selection, dataset: DetectionDataset, kept: npt.NDArray[np.bool_], table: FeatureTable | None
) -> list[tuple[str, str, str]]:
    """Return the measures that are fast to compute; `measure_representativeness` has more."""
    found = []
    if table is not None and table.X.shape[1] and len(table) <= COMPARED and kept[table.rows].any():
        codes = None if selection.category_codes is None else selection.category_codes[table.rows]
        chosen = np.flatnonzero(kept[table.rows])
        covered = coverage(table.X, codes, chosen)
        random = "" if covered.at_random is None else f"; {covered.at_random:.0%} for a random subset"
        found.append(("coverage", f"{covered.value:.0%}", f"images with a kept image among their nearest{random}"))
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
                "difference between the class shares of the kept boxes and all boxes; 0: equal",
            )
        )
        sizes = single_box_sizes(dataset)
        known = np.isfinite(sizes)
        if known.any():
            value = size_divergence(sizes[known], dataset.box_rows[known], rows)
            found.append(("size divergence", f"{significant(value)} bit", "the same for box sizes"))
    return found
