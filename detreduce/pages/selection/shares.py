"""Tables of the shares of classes, box sizes, categories and groups, in the full set and in the subset."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import boxes_of_classes
from detreduce.dataset.groups import FOLDER, assign_groups
from detreduce.dataset.records import DetectionDataset
from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.selection.record import Selection

IntArray = npt.NDArray[np.int64]
SHOWN = 20
"""The maximum number of rows that a table shows at first. The other rows are folded away."""
MOST = 400
"""The maximum number of rows of a table."""
SIZE_BOUNDS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""The bounds of the bins for box sizes. The size of a box is sqrt(box area / image area)."""


@dataclass(frozen=True, slots=True)
class Share:
    """A row of a table: its name, and its number of boxes or images in the full set and in the subset."""

    name: str
    full: int
    kept: int

    @property
    def lost(self) -> bool:
        """Whether the full set has boxes or images of this row but the subset has none."""
        return self.full > 0 and self.kept == 0


@dataclass(frozen=True, slots=True)
class Shares:
    """A table of shares.

    Attributes
    ----------
    title
        The heading.
    counted
        What the numbers count: ``boxes`` or ``images``.
    about
        A sentence that explains how to read the table.
    rows
        The rows. There are at most `MOST` of them.
    full, kept
        The sums over all rows, including those that are left out.
    left_out
        The number of rows that are left out.
    """

    title: str
    counted: str
    about: str
    rows: tuple[Share, ...]
    full: int
    kept: int
    left_out: int = 0

    def bars(self, row: Share) -> tuple[float, float]:
        """Return the lengths of the two bars of a row, in percent of the longest bar in the table."""
        full, kept = max(1, self.full), max(1, self.kept)
        longest = max((max(one.full / full, one.kept / kept) for one in self.rows), default=0.0) or 1.0
        return 100 * row.full / full / longest, 100 * row.kept / kept / longest


def class_shares(dataset: DetectionDataset, kept: npt.NDArray[np.bool_]) -> Shares | None:
    """Count the boxes of each class. Return None if the dataset has no boxes.

    `kept` (n,) marks the kept images with True.
    """
    counts = dataset.sparse_class_counts
    if not counts.nnz:
        return None
    about = "Share of each class among all boxes and among the kept boxes."
    full, part = boxes_of_classes(counts), boxes_of_classes(counts[kept])
    return _table("Classes", "boxes", about, _rows(dataset.class_labels, full, part))


def size_shares(dataset: DetectionDataset, kept: npt.NDArray[np.bool_]) -> Shares | None:
    """Count the boxes of each size. Return None if no box has a known size. `kept` (n,) marks the kept images."""
    sizes = single_box_sizes(dataset)
    known = np.isfinite(sizes)
    if not known.any():
        return None
    counted = [
        np.histogram(np.clip(sizes[chosen], 0, 1), SIZE_BOUNDS)[0] for chosen in (known, known & kept[dataset.box_rows])
    ]
    names = [f"up to {high:g}" for high in SIZE_BOUNDS[1:]]
    about = "The size of a box is sqrt(box area / image area): 0.1 is a tenth of the image in width and in height."
    return _table("Box sizes", "boxes", about, _rows(names, *counted), ordered=False)


def category_shares(selection: Selection, dataset: DetectionDataset) -> Shares | None:
    """Count the images of each category. Return None if there is only one category."""
    full, kept = (selection.categories.get(part, {}) for part in ("full", "kept"))
    if len(full) < 2:
        return None
    about = f"The choice of images is stratified by the image category (rule: {selection.categories.get('rule')})."
    rows = _rows(list(full), list(full.values()), [kept.get(name, 0) for name in full])
    return _table("Categories", "images", about, rows)


def group_shares(selection: Selection, dataset: DetectionDataset, kept: npt.NDArray[np.bool_]) -> Shares | None:
    """Count the images of each group. Return None if there are no groups.

    The selection's rule for groups defines the groups. If there is no such rule, each folder of images is a group. Then
    there must be several folders, with at least three images in a folder on average.
    """
    step = selection.steps[-1] if selection.steps else {}
    rule, limit = step.get("groups"), step.get("max_per_group")
    labels: list[str] = []
    with suppress(InputError):
        labels = assign_groups(dataset, str(rule if isinstance(rule, str) and rule != "given" else FOLDER))
    by_folder = rule in (None, "given", FOLDER)
    counts = Counter(labels)
    if not labels or (rule in (None, "given") and not 1 < len(counts) <= len(labels) // 3):
        return None
    if by_folder and len(counts) > 1:
        top = os.path.commonpath(list(counts))
        named = {label: os.path.relpath(label, top) for label in counts}
    else:
        named = {label: label for label in counts}
    chosen = Counter(label for label, one in zip(labels, kept.tolist(), strict=True) if one)
    about = "Images of each folder." if by_folder else f"Images of each group. The rule for groups is {rule}."
    if limit is not None:
        about += f" At most {counted(limit, 'image is', 'images are')} kept from a group."
    title = "Images per folder" if by_folder else "Images per group"
    names = list(counts)
    shown = [named[name] or "(no name)" for name in names]
    rows = _rows(shown, [counts[name] for name in names], [chosen[name] for name in names])
    return _table(title, "images", about, rows)


def single_box_sizes(dataset: DetectionDataset) -> npt.NDArray[np.float64]:
    """Return the size of each box, sqrt(box area / image area), as a (B,) array.

    The size is NaN for crowd regions and for boxes in images whose size is not known.
    """
    return np.where(dataset.box_crowd, np.nan, dataset.box_sizes)


def _rows(names: Sequence[str], full: Sequence[int] | IntArray, kept: Sequence[int] | IntArray) -> list[Share]:
    """Return the rows of a table from its three columns."""
    return [Share(str(name), int(a), int(b)) for name, a, b in zip(names, full, kept, strict=True)]


def _table(title: str, counted: str, about: str, rows: list[Share], *, ordered: bool = True) -> Shares:
    """Make a table.

    If `ordered` is True, the largest rows come first, and rows that are empty in the full set are left out.
    """
    if ordered:
        rows = sorted((row for row in rows if row.full), key=lambda row: -row.full)
    sums = sum(row.full for row in rows), sum(row.kept for row in rows)
    return Shares(title, counted, about, tuple(rows[:MOST]), *sums, max(0, len(rows) - MOST))
