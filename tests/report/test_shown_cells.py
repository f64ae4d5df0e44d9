"""Which selections come first in a report."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from detreduce.report.shown_cells import shown_cells
from detreduce.vocabulary.keeps import keep_key


def cells(*given: tuple[str, float]) -> list[Any]:
    return [
        SimpleNamespace(
            cell={"label": label, "keep": keep, "control": None, "selection_seed": 0, "training_seed": 0},
            selection={"images": round(100 * keep)},
        )
        for label, keep in given
    ]


def test_the_best_selection_comes_first_then_the_largest_by_rank() -> None:
    made = cells(("aum", 0.5), ("srs", 0.5), ("csod", 0.1), ("aum", 0.1))
    ranked = [("csod", keep_key(0.1)), ("srs", keep_key(0.5)), ("aum", keep_key(0.5)), ("aum", keep_key(0.1))]
    shown, left_out = shown_cells(made, 9, ranked)
    found = [(cell.cell["label"], cell.cell["keep"]) for cell, _ in shown]
    assert found == [("csod", 0.1), ("srs", 0.5), ("aum", 0.5), ("aum", 0.1)] and left_out == 0
    shown, left_out = shown_cells(made, 1, ranked)
    assert shown[0][0].cell["label"] == "csod" and left_out == 3
