from __future__ import annotations

from detreduce.experiment.cells import Cell
from detreduce.experiment.costs.few_steps import describe_fewest_steps
from detreduce.training.recipes.settings import RecipeSettings


def settings(cell: Cell, chosen: int) -> RecipeSettings:
    nbs = 8 if cell.method == "ours" else 64
    return RecipeSettings({"batch": 8, "epochs": 4, "nbs": nbs}, 16 if cell.control else None)


def test_the_cell_with_the_fewest_large_steps_is_named() -> None:
    full, quarter = Cell("a", "full", 0, "full"), Cell("b", "srs", 0, keep=0.25)
    # 4 epochs of 80 images, in steps of 64
    text = describe_fewest_steps([full, quarter], 320, settings)
    # the control has 16 images an epoch here, so 4 epochs are one step
    assert text.startswith("full:")
    assert "1 step." in text
    assert "5 steps" in describe_fewest_steps([quarter], 320, settings)


def test_a_step_for_each_batch_needs_no_note() -> None:
    assert describe_fewest_steps([Cell("a", "ours", 0, keep=0.1)], 320, settings) == ""
    assert describe_fewest_steps([], 320, settings) == ""
