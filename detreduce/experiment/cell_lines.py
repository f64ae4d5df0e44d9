"""The lines of text that a run prints about each cell."""

from __future__ import annotations

from detreduce.display.numbers import counted, fixed
from detreduce.experiment.cells import Cell
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, FULL


def describe_cell(cell: Cell) -> str:
    """Return the method, the keep and the seeds of a cell as text."""
    if cell.control == FULL:
        return f"{cell.label}, training seed {cell.training_seed}"
    if cell.control == EQUAL_ITERATIONS:
        return f"{cell.label}, steps as for keep {cell.keep}, training seed {cell.training_seed}"
    if cell.selection_seed is None:
        seen = (cell.recipe or {}).get("images_seen")
        what = f"{counted(seen, 'image')} seen" if isinstance(seen, int) else f"images seen as for keep {cell.keep}"
        return f"{cell.label}, {what}, training seed {cell.training_seed}"
    seeds = f"selection seed {cell.selection_seed}, training seed {cell.training_seed}"
    # the keep of a recipe is the number of images seen, which may differ from the size of its subset
    return f"{cell.label}, keep {cell.chosen_keep}, {seeds}"


def describe_outcome(finished: FinishedCell) -> str:
    """Return the mAP and the cost of a finished cell as one line of text."""
    row = finished.row()
    parts = [f"{counted(row['images'], 'image')}"]
    for name, label in (("mAP50", "mAP50"), ("mAP50_95", "mAP50-95")):
        parts.append(f"{label} not known" if row[name] is None else f"{label} {fixed(row[name], 3)}")
    parts.append(
        "energy not known" if row["Wh"] is None else f"{fixed(row['Wh'], 2)} Wh, {fixed(row['g_co2'], 2)} g CO2"
    )
    parts.append(f"{row['minutes']:.1f} min")
    if row.get("overlapped"):
        parts.append("too high: another training ran at the same time")
    return ", ".join(parts)
