from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from detreduce.errors import InputError, MissingFileError
from detreduce.training.recipes.reading import read_recipe
from detreduce.training.recipes.recipe import Recipe, images_of
from detreduce.training.recipes.settings import recipe_settings


@pytest.mark.parametrize(
    ("recipe", "label"),
    [
        ({}, "uniform"),
        ({"batch": 4, "lr0": "sqrt"}, "batch4-sqrt"),
        ({"stream": {"by": "class_uniform", "power": 0.5}, "imgsz": 224}, "class_uniform0.5-224px"),
        ({"subset": {"name": "herding", "keep": "10%"}, "freeze": [0, 2]}, "herding0.1-freeze0+2"),
        ({"mosaic": 0.5, "warmup": 0.1, "lr0": 0.002, "nbs": 8}, "nbs8-mosaic0.5-warmup0.1-lr0.002"),
        ({"name": "mine", "batch": 4}, "mine"),
        ({"progressive": True, "skip_learnt": {"easy": 0.9}}, "progressive-skip_learnt0.9"),
        ({"infobatch": {"drop": 0.3}, "batch": 8}, "batch8-infobatch0.3"),
        ({"subset": {"keep": "all", "drop_duplicates": True}}, "srs_all"),
        ({"subset": {"name": "mms", "keep": "all"}, "batch": 4}, "mms_all-batch4"),
    ],
)
def test_a_recipe_without_a_name_is_called_by_what_it_changes(recipe: dict[str, Any], label: str) -> None:
    assert Recipe.model_validate(recipe).label == label


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 0}, {"images_seen": 0}, {"images_seen": float("nan")}, {"images_seen": float("inf")},
        {"images_seen": True}, {"images_seen": "all"}, {"lr0": 0}, {"lr0": float("nan")}, {"lr0": "square"},
        {"freeze": -1}, {"freeze": [1.5]}, {"mosaic": 1.1}, {"mosaic": float("nan")}, {"warmup": 1}, {"imgsz": 0},
        {"name": "full"}, {"name": "srs"}, {"name": "recipe"}, {"name": "a b"}, {"batch": 8, "nbs": 4}, {"btch": 8},
        {"subset": "herding"}, {"subset": {"name": "herding", "keep": 0.0}}, {"subset": {"name": "no", "keep": 0.1}},
        {"stream": "no"}, {"progressive": 0.5}, {"progressive": {"start": 0}}, {"skip_learnt": {"easy": 2}},
        {"batch": True}, {"nbs": True}, {"imgsz": True}, {"lr0": "nan"}, {"lr0": "-1e-3"}, {"lr0": True},
        {"skip_learnt": True, "images_seen": 10}, {"skip_learnt": True, "stream": "class_uniform"},
        {"infobatch": True, "images_seen": 10}, {"infobatch": True, "stream": "class_uniform"},
        {"infobatch": True, "skip_learnt": True}, {"infobatch": {"drop": 1}}, {"infobatch": {"end": 2}},
        {"subset": {"keep": "most"}}, {"subset": {"keep": 0.5}}, {"subset": {"name": "srs", "keep": "al"}},
        {"images_seen": 10**400}, {"images_seen": 1e308}, {"nbs": 10**400}, {"imgsz": 10**30}, {"name": "a" * 101},
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Recipe.model_validate(wrong)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(10**12, 10**400), st.floats(), st.text(max_size=8), st.dates(),
    st.binary(max_size=3), st.sampled_from(["10%", "-1%", "nan%", "1e400", "x" * 5000, "\0", "herding", "weights"]),
)  # fmt: skip
INNER = st.sampled_from(["name", "keep", "by", "file", "power", "start", "end", "threshold", "refresh", "easy"])


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([*Recipe.model_fields, "nosuch"]),
    st.one_of(ODD, st.lists(ODD, max_size=2), st.dictionaries(INNER, ODD, max_size=3)),
)
@example("stream", {"by": "weights", "file": "x" * 5000})
@example("images_seen", 1e308)
def test_any_value_of_a_key_is_used_or_refused_in_words(key: str, value: Any) -> None:
    try:
        recipe = read_recipe({key: value})
        recipe_settings(recipe, {"epochs": 2, "batch": 4, "imgsz": 64, "lr0": 0.01}, images=20, chosen=20)
    except InputError as error:
        assert str(error) and "Traceback" not in str(error) and len(str(error)) < 7000
    else:
        assert 0 < len(recipe.label) < 300 and recipe.budget(2) > 0


@given(st.floats(1e-9, 1e3))
def test_a_rate_that_yaml_reads_as_text_is_a_number(rate: float) -> None:
    # YAML 1.1 reads 1e-3 as text
    assert Recipe.model_validate({"lr0": repr(rate)}) == Recipe(lr0=rate)


def test_the_identity_leaves_out_the_name_and_the_defaults() -> None:
    assert Recipe(name="x").identity() == {}
    assert Recipe(batch=4, lr0="resolved", stream="uniform").identity() == {"batch": 4}
    subset = Recipe.model_validate({"subset": {"name": "mms", "keep": 1}, "images_seen": 0.5})
    assert subset.identity() == {"keep": "int 1", "images_seen": 0.5}


@given(st.integers(1, 10**6), st.integers(1, 300))
def test_a_number_of_images_is_a_budget_of_images_per_epoch(seen: int, epochs: int) -> None:
    budget = Recipe(images_seen=seen).budget(epochs)
    assert isinstance(budget, int)
    assert budget >= 1
    assert abs(budget * epochs - seen) <= max(epochs / 2, epochs - seen)


def test_all_images_that_remain_are_at_most_all_images() -> None:
    recipe = Recipe.model_validate({"subset": {"keep": "all", "exclude": ["a.jpg"]}})
    assert recipe.subset is not None
    assert (recipe.subset.name, recipe.subset.keep, recipe.subset.count, recipe.budget(3)) == ("srs", "all", 1.0, 1.0)
    assert recipe.identity() != Recipe.model_validate({"subset": {"name": "srs", "keep": 1.0}}).identity()


def test_a_budget_may_be_more_than_all_images() -> None:
    assert [images_of(budget, 448) for budget in (0.1, 1.0, 2.0, 45, 900)] == [45, 448, 896, 45, 900]


def test_a_recipe_is_read_from_a_file_and_names_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "weights.csv").write_text("image,weight\na.jpg,1\n")
    (tmp_path / "names.txt").write_text("a.jpg\n")
    file = tmp_path / "recipe.yaml"
    file.write_text(
        "batch: 4\nstream: {by: weights, file: weights.csv}\nsubset: {name: mms, keep: 2, must_keep: names.txt}\n"
    )
    recipe = read_recipe(file)
    assert recipe.batch == 4
    assert recipe.stream.file == str(tmp_path / "weights.csv")
    assert recipe.subset is not None
    assert recipe.subset.must_keep == ["a.jpg"]
    assert read_recipe(recipe) == recipe


def test_what_is_wrong_with_a_file_is_said_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    for text, words in (("batch: 0\nbtch: 1\n", "2 errors"), ("- 1\n", "list"), ("{", "YAML"), ("btch: 1", "'batch'")):
        file.write_text(text)
        with pytest.raises(InputError, match=words) as caught:
            read_recipe(file)
        assert str(file) in str(caught.value)
    with pytest.raises(InputError, match="folder"):
        read_recipe(tmp_path)
    with pytest.raises(MissingFileError, match=r"no\.yaml"):
        read_recipe(tmp_path / "no.yaml")
    with pytest.raises(MissingFileError, match=r"no\.csv"):
        read_recipe({"stream": {"by": "weights", "file": "no.csv"}})
