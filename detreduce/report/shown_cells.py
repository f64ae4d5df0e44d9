"""Decide which selections of an experiment a report shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.pages.selection.view import SelectionView
from detreduce.selection.record import Selection
from detreduce.vocabulary.controls import is_on_all
from detreduce.vocabulary.keeps import keep_key


@dataclass(frozen=True)
class ShownSelection:
    """The view of a selection, and the cell that was trained on it.

    Attributes
    ----------
    key, label
        The key of the cell, and the label of its method.
    cells
        The number of cells with the same method and keep.
    view
        The view of the selection.
    """

    key: str
    label: str
    cells: int
    view: SelectionView

    def is_of(self, label: str, keep: str) -> bool:
        """Return whether this selection belongs to a method and a keep (given as a `keep_key`)."""
        return self.label == label and keep_key(self.view.selection.keep) == keep


def shown_cells(
    cells: Sequence[FinishedCell], limit: int, ranked: Sequence[tuple[str, str]] = ()
) -> tuple[list[tuple[FinishedCell, int]], int]:
    """Return the cells whose selections the report shows, and the number of selections that it leaves out.

    Each method at each keep is represented by its cell with the lowest seeds. The cell is returned together with the
    number of cells of this method and keep.

    `ranked` contains the label and the `keep_key` of each subset, best first. The best subset comes first. The other
    subsets are sorted by keep, from large to small, and then by rank.

    At most `limit` selections are shown. Each keep first gets one method, then a second method, and so on.
    """
    groups: dict[tuple[str, str], list[FinishedCell]] = {}
    for cell in cells:
        if not is_on_all(cell.cell):
            groups.setdefault((cell.cell["label"], keep_key(cell.cell["keep"])), []).append(cell)
    place_of = {name: place for place, name in enumerate(ranked)}
    names = sorted(
        groups,
        key=lambda name: (
            place_of.get(name) != 0,
            -_images(groups[name][0]),
            place_of.get(name, len(place_of)),
        ),
    )
    found = [(min(groups[name], key=_seeds), len(groups[name])) for name in names]
    turns, seen = [], Counter[int]()
    for cell, _ in found:
        turns.append(seen[_images(cell)])
        seen[_images(cell)] += 1
    shown = sorted(sorted(range(len(found)), key=turns.__getitem__)[:limit])
    return [found[place] for place in shown], len(found) - len(shown)


def _images(cell: FinishedCell) -> int:
    """Return the number of images on which a cell was trained."""
    return int(cell.selection.get("images", 0))


def _seeds(cell: FinishedCell) -> tuple[int, int]:
    """Return the selection seed and the training seed of a cell."""
    return cell.cell.get("selection_seed") or 0, cell.cell["training_seed"]


def read_selection(ledger: Ledger, cell: FinishedCell) -> Selection:
    """Return the selection on which a cell was trained."""
    return Selection.load(ledger.cell_folder(cell.key) / "selection.json")
