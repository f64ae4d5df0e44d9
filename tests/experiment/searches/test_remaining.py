"""`keep: all` becomes the number of images that every method can keep without duplicates and excluded images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from detreduce.errors import InputError
from detreduce.experiment import run as run_module
from detreduce.experiment.config import load_config
from detreduce.experiment.run import prepare_experiment, run_experiment


@pytest.fixture
def twice(config: Path) -> Path:
    """An experiment on 12 images. One image is a copy of another image."""
    images = config.parent / "set" / "images"
    (images / "07.jpg").write_bytes((images / "03.jpg").read_bytes())
    return config


def reduced(config: Path, **reduce: Any) -> Path:
    content = yaml.safe_load(config.read_text())
    content["reduce"] = {**content["reduce"], "keep": "all", **reduce}
    content["controls"] = ["full", "full_equal_iterations"]
    config.write_text(yaml.safe_dump(content))
    return config


def keeps(config: Path) -> list[float | int]:
    return prepare_experiment(config, config.parent / "ledger").settings.reduce.keeps


@pytest.mark.parametrize(
    ("reduce", "images"),
    [
        ({"methods": ["srs"]}, 12),
        ({"methods": ["srs"], "drop_duplicates": True}, 11),
        ({"methods": ["srs"], "drop_duplicates": "exact", "exclude": ["01.jpg", "02.jpg"]}, 9),
        # the duplicate of an excluded image is not left out
        ({"methods": ["srs"], "drop_duplicates": True, "exclude": ["03.jpg"]}, 11),
        # the number of images that every method can keep
        ({"methods": ["srs", {"name": "srs", "drop_duplicates": True}]}, 11),
    ],
)
def test_all_is_what_remains(twice: Path, reduce: dict[str, Any], images: int) -> None:
    assert keeps(reduced(twice, **reduce)) == [images]


def test_a_number_that_all_stands_for_is_one_keep(twice: Path) -> None:
    assert keeps(reduced(twice, methods=["srs"], drop_duplicates=True, keep=[0.5, "all", 11])) == [0.5, 11]


def test_the_cleaned_set_and_its_equal_steps_are_cells(
    twice: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    ledger = run_experiment(reduced(twice, methods=["srs"], drop_duplicates=True), twice.parent / "ledger")
    found = {row["label"]: row["keep"] for row in ledger.rows()}
    assert found["srs(drop_duplicates)"] == found["full_equal_iterations"] == 11
    assert load_config(ledger.path / "config.yaml").reduce.keep == [11]


def test_what_cannot_be_counted_is_said_first(twice: Path) -> None:
    with pytest.raises(InputError, match=r"'all' cannot be used with drop_duplicates by features"):
        keeps(reduced(twice, methods=["srs"], drop_duplicates="features"))
    with pytest.raises(InputError, match=r"srs at keep 11"):
        keeps(reduced(twice, methods=["srs"], drop_duplicates=True, groups="folder", max_per_group=2))


def with_recipes(config: Path, *recipes: dict[str, Any]) -> Path:
    content = yaml.safe_load(config.read_text())
    content.pop("reduce", None)
    config.write_text(yaml.safe_dump({**content, "recipes": list(recipes), "controls": ["full_equal_iterations"]}))
    return config


def test_a_recipe_trains_on_the_cleaned_set(
    twice: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    clean = {"keep": "all", "drop_duplicates": True}
    with_recipes(
        twice,
        {"subset": clean},
        {"subset": {**clean, "name": "srs", "exclude": ["01.jpg"]}, "name": "less", "batch": 2},
    )
    ledger = run_experiment(twice, twice.parent / "ledger")
    rows = ledger.rows()
    assert {row["label"]: row["keep"] for row in rows if row["control"] is None} == {"srs_all": 11, "less": 10}
    # the equal-steps control of each cleaned set
    assert {row["keep"] for row in rows if row["control"]} == {10, 11}
    assert [recipe.subset.keep for recipe in load_config(ledger.path / "config.yaml").recipes] == [11, 10]


def test_a_recipe_for_which_all_is_not_enough_is_refused_first(twice: Path) -> None:
    clean = {"keep": "all", "drop_duplicates": True}
    with pytest.raises(
        InputError, match=r"recipes\.0\.subset\.keep: 'all' cannot be used with drop_duplicates by feat"
    ):
        keeps(with_recipes(twice, {"subset": {**clean, "drop_duplicates": "features"}}))
    with pytest.raises(InputError, match="batch: 12 images are more than the 11"):
        keeps(with_recipes(twice, {"subset": clean, "batch": 12}))
