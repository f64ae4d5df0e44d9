from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from detreduce.dataset.paths.finding import find
from detreduce.dataset.paths.path_variables import expand
from detreduce.errors import InputError, MissingFileError
from detreduce.experiment.config import load_config, parse_config
from detreduce.selection.record import Selection


@pytest.fixture
def minimal(tmp_path: Path) -> dict:
    (tmp_path / "data.yaml").write_text("train: images\nnames: [a]\n")
    return {
        "name": "tiny",
        "dataset": "data.yaml",
        "reduce": {"methods": ["srs", {"name": "mms", "start": "center"}], "keep": [0.25, 10], "seeds": [0, 1]},
        "train": {"model": "yolov8n.yaml", "epochs": 2, "imgsz": 64},
    }


def test_paths_become_absolute_and_sections_get_defaults(minimal: dict, tmp_path: Path) -> None:
    config = parse_config(minimal, beside=tmp_path)
    assert config.dataset == str(tmp_path / "data.yaml")
    assert config.reduce.categories == "rarest"
    assert config.train.arguments == {"epochs": 2, "imgsz": 64}
    assert config.train.model == "yolov8n.yaml"
    assert [type(keep) for keep in config.reduce.keep] == [float, int]


def test_all_errors_are_listed_at_once_with_the_nearest_name(minimal: dict, tmp_path: Path) -> None:
    minimal["nam"] = 1
    minimal["dataset"] = "nowhere.yaml"
    minimal["reduce"] |= {"methods": ["mmz"], "keep": [1.5], "seedz": [0]}
    minimal["train"]["epoch"] = 3
    minimal["features"] = {"backbone": "yolo:weights/missing.pt"}
    with pytest.raises(InputError) as caught:
        parse_config(minimal, beside=tmp_path, file="e.yaml")
    text = str(caught.value)
    assert text.startswith("e.yaml: 7 errors")
    for expected in (
        "nam: unknown key. Did you mean 'name'?",
        "reduce.seedz: unknown key. Did you mean 'seeds'?",
        "'mms'",
        "1.5 is neither a count (a whole number) nor a fraction above 0 and at most 1. Write 0.015 for 1.5 %.",
        "no training argument 'epoch'. Did you mean 'epochs'?",
        "nowhere.yaml",
        "missing.pt",
    ):
        assert expected in text, expected


@pytest.mark.parametrize("key", ["data", "seed", "fraction", "name"])
def test_arguments_that_belong_to_the_cell_are_refused(minimal: dict, tmp_path: Path, key: str) -> None:
    minimal["train"][key] = 1
    with pytest.raises(InputError, match="cannot be set here"):
        parse_config(minimal, beside=tmp_path)


def test_method_parameters_are_checked(minimal: dict, tmp_path: Path) -> None:
    minimal["reduce"]["methods"] = [{"name": "mms", "strat": "center"}]
    with pytest.raises(InputError, match="Did you mean 'start'"):
        parse_config(minimal, beside=tmp_path)


def test_evaluate_on_survives_yaml_reading_on_as_true(minimal: dict, tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(yaml.safe_dump(minimal) + "evaluate: {on: test, choose: best}\n")
    config = load_config(file)
    assert (config.evaluate.on, config.evaluate.choose) == ("test", "best")


def test_values_are_replaced_by_dotted_name(minimal: dict, tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(yaml.safe_dump(minimal))
    config = load_config(file, {"train.epochs": 7, "evaluate.on": "val", "reduce.keep": 0.1})
    assert (config.train.arguments["epochs"], config.evaluate.on, config.reduce.keep) == (7, "val", [0.1])
    with pytest.raises(InputError, match="Did you mean 'epochs'"):
        load_config(file, {"train.epoch": 7})
    with pytest.raises(InputError, match="not a section"):
        load_config(file, {"name.x": 7})


@pytest.mark.parametrize("key", ["must_keep", "exclude"])
def test_a_list_of_images_is_a_file_or_names(minimal: dict, tmp_path: Path, key: str) -> None:
    (tmp_path / "keep.txt").write_text("a.jpg\n\n b.jpg\n")
    minimal["reduce"] |= {key: "keep.txt", "methods": ["srs", {"name": "srs", key: ["c.jpg"]}]}
    reduce = parse_config(minimal, beside=tmp_path).reduce
    assert [method.composition(reduce) for method in reduce.methods] == [
        {key: ["a.jpg", "b.jpg"]},
        {key: ["c.jpg"]},
    ]
    minimal["reduce"][key] = "kept.txt"
    with pytest.raises(InputError, match=rf"reduce.{key}: .*Did you mean 'keep.txt'"):
        parse_config(minimal, beside=tmp_path)


def test_an_earlier_selection_is_a_file_or_images(minimal: dict, tmp_path: Path) -> None:
    """Only the images in the file count. Its path and its other content do not change the cell."""
    chosen = Selection(("images/2.jpg", 7), np.arange(2), np.zeros(9), "srs", {}, 2, 0)
    for name in ("first.json", "again.json"):
        replace(chosen, seed=len(name)).save(tmp_path / name)
    methods = ["srs", {"name": "srs", "initial": "again.json"}, {"name": "srs", "initial": []}]
    minimal["reduce"] |= {"initial": "first.json", "methods": methods}
    reduce = parse_config(minimal, beside=tmp_path).reduce
    same = {"initial": ["images/2.jpg", 7]}
    assert [method.composition(reduce) for method in reduce.methods] == [same, same, {}]
    (tmp_path / "names.txt").write_text("a.jpg\n")
    for wrong, said in (("frist.json", "Did you mean 'first.json'"), ("names.txt", "names.txt")):
        minimal["reduce"]["initial"] = wrong
        with pytest.raises(InputError, match=rf"reduce.initial: .*{said}"):
            parse_config(minimal, beside=tmp_path)


def test_a_method_has_no_limit_on_groups_where_the_section_has_one(minimal: dict, tmp_path: Path) -> None:
    methods = ["srs", {"name": "srs", "max_per_group": 0}, {"name": "stride", "max_per_group": 0}]
    minimal["reduce"] |= {"groups": "folder", "max_per_group": 2, "methods": methods}
    reduce = parse_config(minimal, beside=tmp_path).reduce
    assert [method.composition(reduce) for method in reduce.methods] == [
        {"groups": "folder", "max_per_group": 2},
        {},
        {"groups": "folder"},
    ]


def test_groups_are_for_the_methods_that_use_them_or_for_a_limit(minimal: dict, tmp_path: Path) -> None:
    minimal["reduce"] |= {"groups": "folder", "methods": ["srs", "stride", {"name": "srs", "max_per_group": 3}]}
    reduce = parse_config(minimal, beside=tmp_path).reduce
    assert [method.composition(reduce) for method in reduce.methods] == [
        {},
        {"groups": "folder"},
        {"groups": "folder", "max_per_group": 3},
    ]


def test_only_methods_that_choose_in_parts_get_partitions(minimal: dict, tmp_path: Path) -> None:
    methods = ["srs", "prd", {"name": "prd", "partitions": 0}, {"name": "facility", "partitions": 3}]
    minimal["reduce"] |= {"partitions": 8, "methods": methods}
    reduce = parse_config(minimal, beside=tmp_path).reduce
    assert [method.composition(reduce) for method in reduce.methods] == [
        {},
        {"partitions": 8},
        {},
        {"partitions": 3},
    ]
    minimal["reduce"]["methods"] = [{"name": "srs", "partitions": 8}]
    with pytest.raises(InputError, match="'srs' cannot choose in parts"):
        parse_config(minimal, beside=tmp_path)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"drop_duplicates": "exct"}, "Did you mean 'exact'"),
        ({"drop_duplicates": 5}, "threshold=5"),
        ({"class_floor": -2}, "class_floor=-2"),
        ({"class_flor": 2}, "Did you mean 'class_floor'"),
        ({"methods": [{"name": "srs", "class_floor": 1.5}]}, "class_floor=1.5"),
        ({"groups": "(.+"}, "not a valid regular expression"),
        ({"groups": "folders"}, "in parentheses"),
        ({"max_per_group": -1}, "max_per_group"),
    ],
)
def test_what_comes_before_the_methods_is_checked(minimal: dict, tmp_path: Path, values: dict, said: str) -> None:
    minimal["reduce"] |= values
    with pytest.raises(InputError, match=said):
        parse_config(minimal, beside=tmp_path)


@pytest.mark.parametrize("text", ["- 1\n", "", "a: [", "\x00"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=r"e\.yaml"):
        load_config(file)


def test_a_missing_yaml_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"none\.yaml.* does not exist"):
        load_config(tmp_path / "none.yaml")


def test_shipped_files_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find("configs/demo.yaml").name == "demo.yaml"
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "demo.yaml").write_text("mine: 1")
    assert find("configs/demo.yaml") == tmp_path / "configs" / "demo.yaml"


def test_variables_expand_with_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DR_TEST", "/data")
    assert expand("${DR_TEST}/x") == "/data/x"
    monkeypatch.delenv("DR_TEST")
    assert expand("${DR_TEST:-../s}/x") == "../s/x"
    assert expand("${DR_TEST}/x") == "${DR_TEST}/x"


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        ("reduce", {"methods": [{"name": "mms", "keep": 0.1}]}, "reduce.keep"),
        ("reduce", {"methods": [{"name": "srs", "random_state": 3}]}, "reduce.seeds"),
        ("reduce", {"methods": [{"name": "mms", "start": "centre"}]}, "centre"),
        ("reduce", {"keep": [True]}, "True is not a number"),
        ("reduce", {"keep": ["0.5"]}, "'0.5' is not a number"),
        ("reduce", {"keep": ["150%"]}, "1.5"),
        ("reduce", {"keep": ["x%"]}, "'x%' is not a number"),
        ("reduce", {"seeds": [-1]}, "-1"),
        ("train", {"epochs": "many"}, "epochs"),
        ("train", {"val": False}, "val"),
        ("train", {"device": "0,1"}, "device"),
        ("train", {"optimizer": "Adm"}, "Adm"),
        ("energy", {"country": "XYZ"}, "XYZ"),
        ("features", {"blocks": ["object"]}, "'objects'"),
    ],
)
def test_values_are_checked_before_anything_runs(
    minimal: dict, tmp_path: Path, section: str, values: dict, said: str
) -> None:
    minimal[section] = {**minimal.get(section, {}), **values}
    with pytest.raises(InputError) as caught:
        parse_config(minimal, beside=tmp_path)
    assert said in str(caught.value)


def test_a_proxy_is_checked_and_its_weights_found(minimal: dict, tmp_path: Path) -> None:
    assert parse_config(minimal, beside=tmp_path).proxy is None
    minimal["reduce"]["methods"] = ["vps", "gradmatch"]
    with pytest.raises(InputError, match=r"proxy: missing.*'vps'"):
        parse_config(minimal, beside=tmp_path)
    (tmp_path / "mine.pt").write_bytes(b"weights")
    minimal["proxy"] = {"model": "mine.pt", "epochs": 3, "batch": 4, "share": 0.5}
    proxy = parse_config(minimal, beside=tmp_path).proxy
    assert proxy is not None
    assert (proxy.model, proxy.epochs, proxy.imgsz) == (str(tmp_path / "mine.pt"), 3, 320)
    assert proxy.arguments == {"batch": 4}
    for bad, said in (
        ({"epochs": 1}, "proxy.epochs"),
        ({"epoch": 3}, "proxy: Ultralytics has no training argument 'epoch'. Did you mean 'epochs'?"),
        ({"model": "weights/none.pt"}, "proxy.model: The weights file 'weights/none.pt'"),
        ({"share": 1.5}, "proxy.share: 1.5 is neither a count"),
        ({"share": 0}, "proxy.share: 0 is not a count of at least 1"),
        ({"val": True}, "a proxy is not validated"),
        ({"val": True}, "val"),
    ):
        minimal["proxy"] = bad
        with pytest.raises(InputError) as caught:
            parse_config(minimal, beside=tmp_path)
        assert said in str(caught.value)


@example({"str": None})
@example({"list[": 1, "strange": 2})
@given(st.dictionaries(st.text(min_size=1, max_size=8), st.none() | st.integers() | st.text(max_size=5), max_size=4))
def test_any_mapping_gives_a_config_or_one_input_error(content: dict) -> None:
    with pytest.raises(InputError):
        parse_config({**content, "reduce": content}, beside=Path("/nowhere"))


def test_a_percentage_is_a_fraction(minimal: dict, tmp_path: Path) -> None:
    minimal["reduce"]["keep"] = ["25%", 0.1]
    assert parse_config(minimal, beside=tmp_path).reduce.keep == [0.25, 0.1]


def test_a_folder_is_no_experiment(tmp_path: Path) -> None:
    (tmp_path / "runs" / "cells").mkdir(parents=True)
    with pytest.raises(InputError, match=r"is a ledger.*config\.yaml"):
        load_config(tmp_path / "runs")
    (tmp_path / "data").mkdir()
    with pytest.raises(InputError, match=r"not an experiment YAML\. `detreduce reduce"):
        load_config(tmp_path / "data")


def test_an_experiment_may_have_recipes_alone_and_is_stored_as_it_is_read(minimal: dict, tmp_path: Path) -> None:
    del minimal["reduce"]
    (tmp_path / "weights.csv").write_text("image,weight\na.jpg,1\n")
    minimal["recipes"] = [{"batch": 4}, {"stream": {"by": "weights", "file": "weights.csv"}, "images_seen": "25%"}]
    config = parse_config(minimal, beside=tmp_path)
    assert config.reduce.methods == []
    assert config.recipes[1].stream.file == str(tmp_path / "weights.csv")
    stored = yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json")))
    assert stored["reduce"]["methods"] == []
    assert parse_config(stored, beside=tmp_path) == config


@pytest.mark.parametrize(
    ("recipes", "words"),
    [
        ([], "reduce: missing"),
        ([{"btch": 4}], "recipes.0.btch: unknown key. Did you mean 'batch'?"),
        ([{"stream": {"by": "class_uniform", "powr": 1}}], "recipes.0.stream.powr: unknown key. Did you mean 'power'?"),
        ([{"images_seen": 0}], "recipes.0.images_seen: 0 is not above 0"),
        ([{"lr0": "squar"}], "recipes.0.lr0: 'squar' is not"),
        (
            [{"batch": 4}, {"batch": 4}],
            "recipes.1: this recipe has the same name and the same number of images seen as recipes.0, 'batch4'",
        ),
        ([{"batch": 4}, {"batch": 4, "name": "x"}], "recipes.1: 'x' and 'batch4' differ only in their names"),
        ([{"stream": {"by": "weights", "file": "no.csv"}}], "recipes.0: The table of weights 'no.csv' does not exist"),
        ([{"subset": {"name": "el2n", "keep": 0.5}}], "proxy: missing, but the method 'el2n' needs"),
    ],
)
def test_wrong_recipes_are_named_by_their_place(minimal: dict, tmp_path: Path, recipes: list, words: str) -> None:
    del minimal["reduce"]
    with pytest.raises(InputError) as caught:
        parse_config({**minimal, "recipes": recipes}, beside=tmp_path)
    assert words in str(caught.value)


def test_recipes_of_one_name_may_see_different_numbers_of_images(minimal: dict, tmp_path: Path) -> None:
    recipes = [{"batch": 4, "images_seen": share} for share in (0.1, 0.25)]
    assert len(parse_config({**minimal, "recipes": recipes}, beside=tmp_path).recipes) == 2
