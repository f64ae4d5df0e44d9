from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detreduce.errors import InputError
from detreduce.experiment.cells import Identity, make_plan, seed_pairs, training_arguments
from detreduce.experiment.config import ExperimentConfig, parse_config


def config(**reduce: object) -> ExperimentConfig:
    content = {
        "name": "x",
        "dataset": str(Path(__file__)),
        "reduce": {"methods": ["srs", "mms"], "keep": [0.5, 0.25], "seeds": [0, 1, 2], **reduce},
        "train": {"model": "yolov8n.yaml", "seeds": [10, 11, 12], "epochs": 1},
        "controls": ["full"],
    }
    return parse_config(content, beside=Path.cwd())


def plan(settings: ExperimentConfig, data: str = "d", features: str = "f") -> list:
    return make_plan(settings, Identity(data=data, model="m", features=features), settings.train.arguments)


def test_selection_seed_i_goes_with_training_seed_i() -> None:
    cells = plan(config())
    full = [cell for cell in cells if cell.control == "full"]
    srs = [cell for cell in cells if cell.method == "srs" and cell.keep == 0.25]
    mms = [cell for cell in cells if cell.method == "mms" and cell.keep == 0.25]
    assert [cell.training_seed for cell in full] == [10, 11, 12]
    assert [(cell.selection_seed, cell.training_seed) for cell in srs] == [(0, 10), (1, 11), (2, 12)]
    assert [(cell.selection_seed, cell.training_seed) for cell in mms] == [(0, 10), (0, 11), (0, 12)]
    assert len(cells) == len({cell.key for cell in cells}) == 3 + 2 * 3 + 2 * 3


def test_seed_lists_of_unequal_length() -> None:
    assert seed_pairs([0, 1, 2], [7], deterministic=False) == [(0, 7), (1, 7), (2, 7)]
    assert seed_pairs([0], [7, 8], deterministic=False) == [(0, 7), (0, 8)]
    assert seed_pairs([0, 1], [7], deterministic=True) == [(0, 7)]


def test_a_key_changes_only_with_what_decides_the_outcome() -> None:
    before = {cell.key for cell in plan(config())}
    assert {cell.key for cell in plan(config(keep=[0.5, 0.25, 0.1]))} > before
    other_data = {cell.key for cell in plan(config(), data="e")}
    assert not other_data & before
    recategorised = {cell.key for cell in plan(config(categories="dominant"))}
    assert recategorised & before == {key for key in before if key.startswith("full")}


def test_a_count_and_a_fraction_are_different_cells() -> None:
    assert not {cell.key for cell in plan(config(keep=[1])) if not cell.control} & {
        cell.key for cell in plan(config(keep=[1.0])) if not cell.control
    }


def test_other_features_train_again_only_what_uses_them() -> None:
    before = {cell.key for cell in plan(config())}
    after = {cell.key for cell in plan(config(), features="g")}
    assert {key.split("-")[0] for key in before - after} == {"mms"}


def test_a_parameter_given_as_its_default_is_the_same_cell() -> None:
    plain = {cell.key for cell in plan(config(methods=["mms"]))}
    assert {cell.key for cell in plan(config(methods=[{"name": "mms", "start": "center"}]))} == plain
    assert not {cell.key for cell in plan(config(methods=[{"name": "mms", "start": 3}]))} & plain - {
        key for key in plain if key.startswith("full")
    }


def test_the_country_of_the_electricity_trains_nothing_again() -> None:
    settings = config()
    elsewhere = settings.model_copy(update={"energy": settings.energy.model_copy(update={"country": "FRA"})})
    assert plan(elsewhere) == plan(settings)


def test_what_comes_before_the_method_is_part_of_the_cell() -> None:
    plain = {cell.key for cell in plan(config())}
    for change in (
        {"drop_duplicates": True}, {"class_floor": 2}, {"must_keep": ["a.jpg"]}, {"initial": ["a.jpg"]}
    ):  # fmt: skip
        composed = plan(config(**change))
        assert not {cell.key for cell in composed if not cell.control} & plain
        assert {cell.key for cell in composed if cell.control} < plain
        assert all(cell.composition == change for cell in composed if not cell.control)
    nothing = config(drop_duplicates=False, class_floor=0, must_keep=[], initial=[], max_per_group=0)
    assert {cell.key for cell in plan(nothing)} == plain


def test_corruptions_change_every_key_and_no_corruptions_none() -> None:
    def keys(**evaluate: object) -> set[str]:
        content = config().model_dump() | {"evaluate": evaluate}
        return {cell.key for cell in plan(ExperimentConfig.model_validate(content))}

    assert keys() == keys(corruptions=[]) == {cell.key for cell in plan(config())}
    assert not keys(corruptions=["noise"]) & (keys() | keys(corruptions=["blur"]))
    assert keys(corruptions=["jpeg", "noise"]) == keys(corruptions=["noise", "jpeg"])
    assert keys(corruptions="all") == keys(corruptions=["noise", "blur", "brightness", "jpeg"])


def test_the_keys_of_ledgers_that_there_are_stay() -> None:
    mms = {"name": "mms", "must_keep": ["a.jpg"], "groups": "folder", "max_per_group": 3}
    cells = plan(config(keep=[0.5], methods=["srs", mms], drop_duplicates=True, class_floor=2))
    assert [cell.key for cell in cells[-4:]] == [
        "srs-keep0.5-s2-t12-d4f95d604a",
        "mms-keep0.5-s0-t10-4479750e70",
        "mms-keep0.5-s0-t11-7e2213925a",
        "mms-keep0.5-s0-t12-cda61364fa",
    ]


def test_a_method_says_otherwise_than_the_section() -> None:
    methods = ["srs", {"name": "srs", "drop_duplicates": False}, {"name": "mms", "class_floor": {"a": 1}}]
    cells = plan(config(methods=methods, drop_duplicates=0.9, must_keep=["a.jpg", "b.jpg"], keep=[0.5]))
    assert {cell.label for cell in cells} == {
        "full",
        "srs(drop_duplicates=0.9,must_keep=2 images)",
        "srs(must_keep=2 images)",
        "mms(class_floor=a:1,drop_duplicates=0.9,must_keep=2 images)",
    }


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ({"by": "features"}, "features"),
        ({"by": "pixels"}, True),
        ({"threshold": 0.9}, 0.9),
        ({"by": "pixels", "threshold": 0.9}, 0.9),
    ],
)
def test_two_ways_to_write_one_search_give_one_cell(long: dict[str, Any], short: Any) -> None:
    assert plan(config(drop_duplicates=long)) == plan(config(drop_duplicates=short))


def test_each_keep_has_controls_of_its_own() -> None:
    settings = config().model_copy(update={"controls": ["full", "full_equal_iterations", "random", "first"]})
    controls = [cell for cell in plan(settings) if cell.control]
    found = {
        name: [(cell.keep, cell.selection_seed, cell.training_seed) for cell in controls if cell.control == name]
        for name in settings.controls
    }
    assert found["full"] == [(1.0, None, seed) for seed in (10, 11, 12)]
    assert found["full_equal_iterations"] == [(keep, None, seed) for keep in (0.5, 0.25) for seed in (10, 11, 12)]
    assert found["random"] == [(keep, i, 10 + i) for keep in (0.5, 0.25) for i in range(3)]
    assert found["first"] == [(keep, 0, seed) for keep in (0.5, 0.25) for seed in (10, 11, 12)]
    assert [cell.on_all for cell in controls] == [True] * 9 + [False] * 12


def test_every_cell_gets_what_all_the_images_make_of_auto() -> None:
    few, many = (training_arguments(config(), images=images, classes=7) for images in (448, 10_000_000))
    # ultralytics' own: 0.002 * 5 / (4 + classes) below 10,000 iterations
    assert (few["optimizer"], few["lr0"], few["momentum"]) == ("AdamW", 0.000909, 0.9)
    assert (many["optimizer"], many["lr0"]) == ("MuSGD", 0.01)
    given = config().model_copy(deep=True)
    given.train.model_extra["optimizer"] = "SGD"  # type: ignore[index]
    assert training_arguments(given, images=448, classes=7) == {"epochs": 1, "optimizer": "SGD"}


def test_equal_iterations_make_every_batch_a_step() -> None:
    settings = config().model_copy(update={"controls": ["full_equal_iterations"]})
    assert training_arguments(settings, images=9, classes=1)["nbs"] == 16
    settings.train.model_extra["nbs"] = 32  # type: ignore[index]
    assert training_arguments(settings, images=9, classes=1)["nbs"] == 32


@pytest.mark.parametrize("batch", [-1, 0.7])
def test_equal_iterations_need_a_batch_of_known_size(batch: float) -> None:
    content = config().model_dump() | {"controls": ["full_equal_iterations"]}
    content["train"]["batch"] = batch
    with pytest.raises(InputError, match=r"1\. train\.batch: .*full_equal_iterations"):
        parse_config(content, beside=Path.cwd())
    parse_config(content | {"controls": ["full"]}, beside=Path.cwd())


def test_no_cell_stops_early_by_patience() -> None:
    content = config().model_dump() | {"evaluate": {"choose": "best"}}
    content["train"] |= {"epochs": 300}
    best = parse_config(content, beside=Path.cwd())
    assert training_arguments(best, images=100, classes=2)["patience"] == 300
    assert "patience" not in training_arguments(config(), images=100, classes=2)


def test_a_changed_default_keeps_the_keys_of_old_ledgers_and_is_named_in_the_label() -> None:
    plain, means, mmd = (
        [cell for cell in plan(config(methods=[method], keep=[0.5])) if not cell.control]
        for method in ("herding", {"name": "herding", "match": "class_means"}, {"name": "herding", "match": "mmd"})
    )
    assert plain == means and {cell.label for cell in means} == {"herding(match=class_means)"}
    assert {cell.label for cell in mmd} == {"herding(match=mmd)"}
    # as in ledgers from before: mmd was the default, so it is not in the key
    assert all(cell.parameters == {} and cell.request(None).parameters == {"match": "mmd"} for cell in mmd)


def with_recipes(*recipes: dict[str, Any], controls: tuple[str, ...] = ()) -> ExperimentConfig:
    content = {
        "name": "x",
        "dataset": str(Path(__file__)),
        "recipes": list(recipes),
        "train": {"model": "yolov8n.yaml", "seeds": [10, 11], "epochs": 20},
        "controls": list(controls),
    }
    return parse_config(content, beside=Path.cwd())


def test_recipes_are_cells_beside_the_control_of_as_many_images() -> None:
    settings = with_recipes(
        {"batch": 8, "images_seen": "10%"}, {"batch": 4, "images_seen": 900}, {"freeze": 3},
        controls=("full", "full_equal_iterations"),
    )  # fmt: skip
    cells = plan(settings)
    equal = "full_equal_iterations"
    names = [("full", 1.0), (equal, 0.1), (equal, 45), ("batch8", 0.1), ("batch4", 45), ("freeze3", 1.0)]
    assert [(cell.label, cell.keep, cell.training_seed) for cell in cells] == [
        (label, keep, seed) for label, keep in names for seed in (10, 11)
    ]
    assert all(cell.on_all for cell in cells)


def test_the_keys_of_recipes_stay() -> None:
    subset = {"name": "mms", "keep": 0.1, "drop_duplicates": True}
    cells = plan(with_recipes({"batch": 8, "images_seen": 0.1}, {"subset": subset, "stream": "class_uniform"}))
    assert [cell.key for cell in cells if cell.training_seed == 10] == [
        "recipe-keep0.1-t10-2435edc387",
        "mms-keep0.1-s0-t10-8fbe61cbfa",
    ]


def test_the_name_of_a_recipe_and_its_defaults_train_nothing_again() -> None:
    plain = [cell.key for cell in plan(with_recipes({"batch": 8}))]
    assert [cell.key for cell in plan(with_recipes({"batch": 8, "name": "x", "lr0": "resolved"}))] == plain
    for change in ({"lr0": "sqrt"}, {"stream": "class_uniform"}, {"images_seen": 0.5}, {"mosaic": 0.5}, {"nbs": 64}):
        assert not {cell.key for cell in plan(with_recipes({"batch": 8, **change}))} & set(plain)


def test_the_subset_of_a_recipe_is_chosen_as_by_its_method() -> None:
    recipe = {"subset": {"name": "srs", "keep": 0.5, "class_floor": 2}, "images_seen": 0.25}
    settings = config().model_copy(update={"recipes": with_recipes(recipe).recipes})
    cells = [cell for cell in plan(settings) if cell.recipe]
    assert [(cell.selection_seed, cell.training_seed) for cell in cells] == [(0, 10), (1, 11), (2, 12)]
    request = cells[0].request("rarest")
    assert (request.method, request.keep, request.seed) == ("srs", 0.5, 0)
    assert request.composition.class_floor == 2
    assert cells[0].keep == 0.25
    assert not cells[0].on_all
    alone = [cell for cell in plan(with_recipes(recipe)) if cell.recipe]
    assert [(cell.selection_seed, cell.training_seed) for cell in alone] == [(10, 10), (11, 11)]


def test_a_cell_without_a_recipe_is_stored_as_ever() -> None:
    assert "recipe" not in plan(config())[0].to_dict()
    assert plan(with_recipes({"batch": 8}))[0].to_dict()["recipe"] == {"batch": 8, "name": "batch8"}
