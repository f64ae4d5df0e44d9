from __future__ import annotations

from detreduce.experiment.cell_lines import describe_cell
from detreduce.experiment.cells import Cell


def test_the_line_of_a_recipe_names_the_size_of_its_subset() -> None:
    recipe = {"name": "clean", "subset": {"name": "srs", "keep": 40}, "images_seen": 96}
    # 96 images seen in 2 epochs are as many as with keep 48
    cell = Cell("a", "srs", 1, keep=48, selection_seed=0, recipe=recipe)
    assert "keep 40" in describe_cell(cell)
    assert "48" not in describe_cell(cell)
    assert "keep 0.25" in describe_cell(Cell("b", "srs", 1, keep=0.25, selection_seed=0))
