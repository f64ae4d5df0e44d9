"""The recipes that are tried, for data and models with known properties, and lists of the user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detreduce.dataset import load_dataset
from detreduce.errors import InputError
from detreduce.experiment.tuning.space import AS_GIVEN, Given, default_recipes, read_recipes
from detreduce.training.recipes.recipe import Recipe


def labels(data: Path, arguments: dict[str, Any], model: str = "yolov8n.yaml", layers: int = 23) -> list[str]:
    return [recipe.label for recipe in default_recipes(Given(arguments, load_dataset(data), model, layers))]


def test_the_space_follows_the_data_and_the_model(splits: Callable[..., Path]) -> None:
    data = splits(train=20, val=2)
    assert labels(data, {}) == [AS_GIVEN, "batch16", "batch8", "batch4", "batch8-448px"]
    # the user's own settings are not tried twice
    given = {"batch": 16, "nbs": 16, "imgsz": 320}
    assert labels(data, given) == [AS_GIVEN, "batch8", "batch4", "batch8-224px"]
    assert labels(data, {"imgsz": 96}) == [AS_GIVEN, "batch16", "batch8", "batch4"]
    pretrained = labels(data, given, "yolov8n.pt")
    assert pretrained[-1] == "batch8-freeze10"
    assert labels(data, given | {"freeze": 10}, "yolov8n.pt")[-1] == "batch8-freeze0"
    assert labels(data, given, "tiny.pt", layers=8)[-1] == "batch8-224px"


def test_batches_above_the_images_are_left_out_and_uneven_classes_are_weighted(splits: Callable[..., Path]) -> None:
    data = splits(train=10, val=2)
    for number in range(10):
        # nine images of class 0, one of class 1
        (data.parent / "train" / "labels" / f"{number}.txt").write_text(f"{int(number == 0)} 0.5 0.5 0.5 0.5\n")
    assert labels(data, {"imgsz": 64}) == [AS_GIVEN, "batch8", "batch4", "class_uniform-batch8"]


def test_a_list_of_the_user(tmp_path: Path) -> None:
    file = tmp_path / "lists" / "recipes.yaml"
    file.parent.mkdir()
    (file.parent / "w.csv").write_text("image,weight\n0.png,1\n")
    file.write_text("recipes:\n  - {batch: 2}\n  - {name: mine, stream: {by: weights, file: w.csv}}\n")
    found = read_recipes(file)
    assert [recipe.label for recipe in found] == [AS_GIVEN, "batch2", "mine"]
    # a path starts at the folder of the list
    assert found[2].stream.file == str(file.parent / "w.csv")
    file.write_text("- {batch: 2}\n")
    assert read_recipes(file) == read_recipes([{"batch": 2}]) == read_recipes([Recipe(batch=2)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([{"btch": 4}], "Did you mean 'batch'"),
        ([{"batch": 4, "images_seen": 0.5}], "images_seen"),
        ([{"skip_learnt": True}], "skip_learnt"),
        ([{"infobatch": True}], "infobatch"),
        ([{"subset": {"name": "vps", "keep": 0.5}}], "proxy"),
        ([{"batch": 4}, {"batch": 4, "name": "same"}], "Remove one"),
        ([{"batch": 4, "name": AS_GIVEN}], AS_GIVEN),
        ([], "at least one"),
    ],
)
def test_wrong_lists(content: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_recipes(content)


@pytest.mark.parametrize("text", ["batch: 4\n", "4\n", "- [\n"])
def test_files_that_are_no_lists(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(InputError, match=r"r\.yaml"):
        read_recipes(tmp_path / "r.yaml")
