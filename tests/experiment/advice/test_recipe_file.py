"""The file of a planned recipe replaces an earlier recipe, and no other file."""

from __future__ import annotations

from pathlib import Path

import pytest

from detreduce.errors import InputError
from detreduce.experiment.advice.recipe_file import write_recipe
from detreduce.training.recipes.recipe import Recipe


@pytest.mark.parametrize("other", ["train: images\nnames: [a]\n", "", "# Planned\n"])
def test_only_a_recipe_is_replaced(other: str, tmp_path: Path) -> None:
    recipe, file = Recipe(images_seen=100), tmp_path / "recipe.yaml"
    for _ in range(2):
        write_recipe(file, recipe, "runs/demo: expected")
        assert "images_seen: 100" in file.read_text()
    file.write_text(other)
    with pytest.raises(InputError, match=r"recipe\.yaml"):
        write_recipe(file, recipe, "runs/demo: expected")
    assert file.read_text() == other
