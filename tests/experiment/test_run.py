from __future__ import annotations

import itertools
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner, Result

from detreduce.arrays.proxy_log import ProxyLog
from detreduce.cli import app
from detreduce.dataset import load_dataset
from detreduce.errors import DetreduceError, InputError
from detreduce.experiment import run as run_module
from detreduce.experiment import sources
from detreduce.experiment.costs.forecast import Estimate
from detreduce.experiment.ledger.identity import data_identity, features_identity
from detreduce.experiment.ledger.ledger import Ledger, finished_rows
from detreduce.experiment.ledger.merge import merge_ledgers
from detreduce.experiment.run import prepare_experiment, run_experiment
from detreduce.experiment.sections import FeaturesConfig
from detreduce.reduction import steps
from detreduce.selection.choose import select
from detreduce.selection.record import Selection
from detreduce.training.concurrent_runs import boot_identity, overlapped
from detreduce.training.energy import meter


def test_every_cell_runs_once_with_its_own_images(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(data: Any, **arguments: Any) -> Any:
        calls.append(arguments)
        return stand_in_train(data, **arguments)

    monkeypatch.setattr(run_module, "train", counted)
    said: list[str] = []
    ledger = run_experiment(config, config.parent / "ledger", say=said.append)
    assert len(calls) == len(ledger) == 10
    assert all(call["epochs"] == 1 and call["evaluate_on"] == "val" for call in calls)
    rows = finished_rows(ledger)
    assert sorted(row["images"] for row in rows) == [3] * 4 + [6] * 4 + [12] * 2
    assert {row["training_seed"] for row in rows if row["method"] == "mms"} == {0, 1}
    assert {row["selection_seed"] for row in rows if row["method"] == "mms"} == {0}, "mms is deterministic"
    assert all(row["features_seconds"] >= 0 for row in rows if row["method"] == "mms")
    assert not any(line.startswith("Skipped") for line in said)
    run_experiment(config, ledger.path)
    assert len(calls) == 10, "a second run repeats nothing"
    assert not any((ledger.path / "unfinished").iterdir())


def test_changed_images_make_new_cells_and_the_table_forgets_the_old(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    ledger = run_experiment(config, config.parent / "ledger")
    before = data_identity(load_dataset(config.parent / "set" / "data.yaml"))
    Image.new("RGB", (64, 64), "white").save(config.parent / "set" / "images" / "00.jpg")
    assert data_identity(load_dataset(config.parent / "set" / "data.yaml")) != before
    run_experiment(config, ledger.path)
    assert len(ledger) == 20
    assert len(finished_rows(ledger)) == 10


def test_the_cost_of_choosing_is_each_cells_own_and_is_kept(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    def slow_choose(*arguments: Any, **named: Any) -> Any:
        clock[0] += 0.5
        return choose(*arguments, **named)

    monkeypatch.setattr(meter, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    choose = steps.choose
    monkeypatch.setattr(run_module, "train", stand_in_train)
    monkeypatch.setattr(steps, "choose", slow_choose)
    ledger = run_experiment(config, config.parent / "ledger")
    assert len(list(ledger.path.glob("features-*.json"))) == 1
    seconds = [row["selection_seconds"] for row in ledger.rows() if not row["control"]]
    assert len(seconds) == 8 and set(seconds) == {0.5}, "seconds add up from cell to cell"
    content = yaml.safe_load(config.read_text())
    content["reduce"]["keep"] = [0.25]
    config.write_text(yaml.safe_dump(content))
    run_experiment(config, ledger.path)
    assert len(ledger) == 14


def test_what_would_fail_in_a_cell_is_told_before_the_first(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "train", lambda *_, **__: pytest.fail("a cell was run"))
    content = yaml.safe_load(config.read_text())
    content["reduce"] |= {"categories": "rarst", "keep": [500]}
    content["evaluate"] = {"on": "test"}
    content["train"]["model"] = "yolov99.yaml"
    config.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError) as caught:
        run_experiment(config, config.parent / "ledger")
    for expected in ("evaluate.on", "500", "Did you mean 'rarest'", "yolov99.yaml"):
        assert expected in str(caught.value)


def test_a_failed_training_leaves_the_finished_cells(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = 0

    def breaks(data: Any, **arguments: Any) -> Any:
        nonlocal done
        done += 1
        if done == 4:
            raise KeyboardInterrupt
        return stand_in_train(data, **arguments)

    monkeypatch.setattr(run_module, "train", breaks)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(config, config.parent / "ledger")
    ledger = Ledger(config.parent / "ledger")
    assert len(ledger) == 3
    run_experiment(config, ledger.path)
    assert len(ledger) == 10 and done == 11


@pytest.fixture
def stand_in_proxy(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Make a proxy with a log in which the boxes of later images vary more. Return the calls."""
    calls: list[dict[str, Any]] = []

    def log_proxy(data: Any, model: str, *, output: Path, **arguments: Any) -> None:
        calls.append({"model": model, "images": len(load_dataset(data, split="train")), **arguments})
        dataset = load_dataset(data, split="train")
        spread = np.array([[0.0], [1.0]]) * [int(record.path.stem) / 16 for record in dataset]
        boxes = np.arange(len(dataset), dtype=np.int32)
        still = np.zeros_like(spread)
        energy = {"seconds": 40.0, "wh": 3.0, "g_co2": 1.0}
        classes = dataset.box_classes.astype(np.int32)
        corners = dataset.boxes_xyxyn.astype(np.float16)
        given = {name: value for name, value in arguments.items() if name in ("batch", "freeze")}
        facts = {"energy": energy, "imgsz": 64, "model": Path(model).name, "arguments": given}
        log = ProxyLog(tuple(dataset.image_ids), boxes, classes, corners, spread, spread**0, still, still, still, facts)
        log.save(output)

    monkeypatch.setattr(sources, "log_proxy_training", log_proxy)
    return calls


def test_the_proxy_is_trained_once_and_charged_to_what_it_chose(
    config: Path,
    stand_in_train: Callable[..., Any],
    stand_in_proxy: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    content = yaml.safe_load(config.read_text())
    content["reduce"] |= {"methods": ["srs", "vps", {"name": "vps", "easy_first": True}], "keep": [3], "seeds": [0]}
    content["proxy"] = {"epochs": 2, "batch": 4}
    content["controls"] = []
    config.write_text(yaml.safe_dump(content))
    ledger = run_experiment(config, config.parent / "ledger")
    assert len(ledger) == 6
    assert stand_in_proxy == [
        {"model": "yolov8n.yaml", "images": 12, "epochs": 2, "imgsz": 320, "seed": 0, "country": "ESP", "batch": 4}
    ]
    for cell in ledger:
        learns = cell.cell["method"] == "vps"
        assert (cell.row().get("proxy_training_Wh"), cell.row().get("proxy_training_seconds")) == (
            (3.0, 40.0) if learns else (None, None)
        )
        chosen = Selection.load(ledger.path / "cells" / cell.key / "selection.json")
        assert ("proxy_training" in chosen.provenance) == learns
        if learns:
            easy = cell.cell["parameters"].get("easy_first", False)
            kept = {int(Path(name).stem) for name in map(str, chosen.image_ids)}
            # even images have the first class, which has two of three seats
            assert kept == ({0, 2, 1} if easy else {10, 8, 11})
    (proxy,) = ledger.path.glob("proxy-*")
    content["reduce"]["keep"] = [3, 4]
    config.write_text(yaml.safe_dump(content))
    run_experiment(config, ledger.path)
    assert len(ledger) == 12 and len(stand_in_proxy) == 1, "a second run reads the log"
    # a killed proxy training may leave weights without a log
    (proxy / "proxy.npz").rename(proxy / "proxy.pt")
    content["reduce"]["keep"] = [5]
    config.write_text(yaml.safe_dump(content))
    run_experiment(config, ledger.path)
    assert len(stand_in_proxy) == 2
    content["proxy"]["epochs"] = 3
    config.write_text(yaml.safe_dump(content))
    run_experiment(config, ledger.path)
    assert len(stand_in_proxy) == 3 and len(ledger) == 22, "another proxy makes other cells, of its methods alone"


def test_who_waits_for_what_another_process_makes_is_not_seen_and_who_makes_it_is(
    config: Path,
    stand_in_train: Callable[..., Any],
    stand_in_proxy: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, bool | None] = {}

    def noted(ledger: Ledger, name: str, wait: Callable[[], None]) -> Any:
        asked[name.partition("-")[0]] = overlapped()
        return exclusive(ledger, name, wait)

    exclusive = Ledger.exclusive
    monkeypatch.setattr(Ledger, "exclusive", noted)
    monkeypatch.setattr(run_module, "train", stand_in_train)
    content = yaml.safe_load(config.read_text())
    content["reduce"] |= {"methods": ["mms", "vps"], "keep": [3], "drop_duplicates": "exact"}
    content["proxy"] = {"epochs": 2}
    config.write_text(yaml.safe_dump(content))
    ledger = run_experiment(config, config.parent / "ledger")
    assert stand_in_proxy
    assert asked == dict.fromkeys(("duplicates", "features", "proxy", "dynamics", "selection"))
    for cell in ledger:
        assert cell.ran["overlapped"] is False
        if not cell.cell["control"]:
            assert cell.choosing["selection"].overlapped is False
    (features,) = ledger.path.glob("features-*.json")
    assert json.loads(features.read_text())["energy"]["overlapped"] is False


def test_a_proxy_on_a_share_serves_all_images(
    config: Path,
    stand_in_train: Callable[..., Any],
    stand_in_proxy: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    content = yaml.safe_load(config.read_text())
    content["reduce"] |= {"methods": ["vps"], "keep": [1.0], "seeds": [0]}
    content["train"]["seeds"] = [0]
    content["proxy"] = {"epochs": 2, "share": 0.5}
    content["controls"] = []
    config.write_text(yaml.safe_dump(content))
    ledger = run_experiment(config, config.parent / "ledger")
    assert [call["images"] for call in stand_in_proxy] == [6]
    (cell,) = ledger
    assert cell.training.data.train_images == 12
    chosen = Selection.load(ledger.path / "cells" / cell.key / "selection.json")
    assert chosen.provenance["features"]["dynamics"]["extrapolated"] == 6
    assert set(cell.choosing) == {"features", "proxy training", "selection"}
    assert not list(ledger.path.glob("proxy-*/share"))


def test_what_a_proxy_would_fail_for_is_told_before_the_first_cell(config: Path) -> None:
    content = yaml.safe_load(config.read_text())
    content["reduce"]["methods"] = ["vps"]
    content["proxy"] = {"model": "yolov8n-seg.yaml", "share": 500}
    config.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError) as caught:
        run_experiment(config, config.parent / "ledger")
    assert "proxy.model: yolov8n-seg.yaml" in str(caught.value)
    assert "proxy.share: keep=500" in str(caught.value)


@pytest.mark.usefixtures("stand_in_reducers")
def test_methods_that_need_object_vectors_get_them_or_are_told_of_before_the_first_cell(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    content = yaml.safe_load(config.read_text())
    content["reduce"] = {"methods": ["by_vectors", "by_objects"], "keep": [3]}
    config.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"features\.blocks: .*'objects'") as caught:
        run_experiment(config, config.parent / "ledger")
    assert str(caught.value).count("features.blocks") == 1
    content["features"] = {"backbone": "efficientnet-lite0", "imgsz": 32, "blocks": ["image"]}
    config.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"features\.blocks: .*'objects'"):
        run_experiment(config, config.parent / "ledger")
    content["features"]["blocks"] = ["objects"]
    config.write_text(yaml.safe_dump(content))
    ledger = run_experiment(config, config.parent / "ledger")
    cost = json.loads(next(ledger.path.glob("features-*.json")).read_text())
    assert (cost["made"], cost["from_cache"]) == (12, 0)
    selections = [cell for cell in finished_rows(ledger) if not cell["control"]]
    assert {row["method"] for row in selections} == {"by_vectors", "by_objects"}
    # reading features for more cells costs almost nothing; the original cost is kept
    content["reduce"]["keep"] = [3, 4]
    config.write_text(yaml.safe_dump(content))
    run_experiment(config, config.parent / "ledger")
    assert len(ledger) > len(selections) + 1
    assert json.loads(next(ledger.path.glob("features-*.json")).read_text()) == cost


def test_the_default_blocks_are_part_of_the_features_identity() -> None:
    def identity(blocks: list[str] | None) -> str:
        return features_identity(FeaturesConfig(blocks=blocks))  # type: ignore[arg-type]

    assert identity(None) == identity(["image", "objects", "annotations"])
    assert len({identity(None), identity(["image", "annotations"]), identity(["objects"])}) == 3


def test_duplicates_are_searched_once_and_their_cost_is_charged(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from detreduce.experiment.searches import redundancy

    monkeypatch.setattr(run_module, "train", stand_in_train)
    searches = []

    def counted(*arguments: Any, **options: Any) -> Any:
        searches.append(arguments)
        return find(*arguments, **options)

    find = redundancy.duplicates_to_drop
    monkeypatch.setattr(redundancy, "duplicates_to_drop", counted)
    images = config.parent / "set" / "images"
    (images / "01.jpg").write_bytes((images / "00.jpg").read_bytes())
    content = yaml.safe_load(config.read_text())
    dataset = load_dataset(config.parent / "set" / "data.yaml")
    select(dataset, "srs", 1, initial=["images/02.jpg"]).save(config.parent / "first.json")
    (images / "02.jpg").write_bytes((images / "03.jpg").read_bytes())
    content["reduce"] |= {"drop_duplicates": "exact", "class_floor": 1, "must_keep": ["01.jpg"], "keep": [0.5]}
    content["reduce"]["initial"] = "first.json"
    config.write_text(yaml.safe_dump(content))
    ledger = run_experiment(config, config.parent / "ledger")
    rows = [row for row in finished_rows(ledger) if not row["control"]]
    assert len(searches) == 1
    assert len(rows) == 4 and all(row["duplicates_seconds"] >= 0 and row["images"] == 6 for row in rows)
    assert all("drop_duplicates=exact" in row["label"] for row in rows)
    for file in ledger.path.rglob("selection.json"):
        chosen = Selection.load(file)
        assert chosen.image_ids[:2] == ("images/01.jpg", "images/02.jpg")
        assert [pair["copy"][-6:] for pair in chosen.provenance["duplicates"]["pairs"]] == ["00.jpg", "03.jpg"]
        assert {"images/00.jpg", "images/03.jpg"}.isdisjoint(chosen.image_ids)


def test_a_keep_that_leaves_no_room_is_refused_before_the_first_cell(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", lambda *_, **__: pytest.fail("too late"))
    images = config.parent / "set" / "images"
    for row in range(6):
        (images / f"{row:02}.jpg").write_bytes((images / "11.jpg").read_bytes())
    content = yaml.safe_load(config.read_text())
    for change, said in (
        ({"drop_duplicates": "exact", "keep": [0.9]}, "11 images cannot be kept.*6 of 12"),
        ({"class_floor": 4}, "srs at keep 3: 3 images should be kept, but class_floor needs 8 images"),
        ({"must_keep": ["x.jpg"]}, "'x.jpg'"),
        ({"class_floor": {"c": 1}}, "'c'"),
    ):
        changed = {**content, "reduce": {**content["reduce"], **change}}
        config.write_text(yaml.safe_dump(changed))
        with pytest.raises(InputError, match=said):
            run_experiment(config, config.parent / "ledger")


def test_controls_are_run_with_what_the_reduced_cells_have(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, Any]] = []

    def counted(data: Any, **arguments: Any) -> Any:
        calls.append(arguments)
        return stand_in_train(data, **arguments)

    monkeypatch.setattr(run_module, "train", counted)
    content = yaml.safe_load(config.read_text())
    content["controls"] = ["full", "full_equal_iterations", "random", "first"]
    content["train"]["batch"] = 4
    config.write_text(yaml.safe_dump(content))
    ledger = run_experiment(config, config.parent / "ledger")
    rows = [row for row in finished_rows(ledger) if row["control"]]
    found = sorted((row["control"], str(row["keep"]), row["images"]) for row in rows)
    assert found == sorted(
        2
        * [
            ("full", "1.0", 12),
            *(("full_equal_iterations", keep, 12) for keep in ("0.5", "3")),
            *((control, keep, images) for control in ("random", "first") for keep, images in (("0.5", 6), ("3", 3))),
        ]
    )
    assert sorted(str(call["images_per_epoch"]) for call in calls) == ["3", "3", "6", "6"] + ["None"] * 18
    assert {(call["optimizer"], call["nbs"], call["batch"]) for call in calls} == {("AdamW", 4, 4)}
    chosen = {
        (cell.cell["control"], cell.cell["keep"], cell.cell["selection_seed"]): Selection.load(
            ledger.path / "cells" / cell.key / "selection.json"
        )
        for cell in ledger
        if cell.cell["control"] in ("random", "first")
    }
    assert sorted(chosen["first", 3, 0].image_ids) == [f"images/{row:02}.jpg" for row in range(3)]
    draws = [chosen["random", 3, seed] for seed in (0, 1)]
    assert draws[0].image_ids != draws[1].image_ids
    assert all(list(draw.categories["full"].values()) == [12] for draw in draws), "no categories"


def test_the_plan_is_told_before_and_a_dry_run_makes_nothing(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    place = config.parent / "ledger"
    plan = prepare_experiment(config, place).overview
    assert not place.exists()
    assert [(share.method, share.keep, share.cells, share.to_run) for share in plan.shares] == [
        ("full", 1.0, 2, 2), ("srs", 0.5, 2, 2), ("srs", 3, 2, 2), ("mms", 0.5, 2, 2), ("mms", 3, 2, 2)
    ]  # fmt: skip
    assert (plan.cells, plan.reused, plan.to_run, plan.seconds, plan.wh) == (10, 0, 10, None, None)
    content = yaml.safe_load(config.read_text())
    content["train"]["seeds"] = [0]
    content["reduce"]["seeds"] = [0]
    config.write_text(yaml.safe_dump(content))
    said: list[str] = []
    run_experiment(config, place, say=said.append)
    assert any("No estimate yet" in line for line in said)
    content["train"]["seeds"] = [0, 1]
    config.write_text(yaml.safe_dump(content))
    plan = prepare_experiment(config, place).overview
    assert (plan.cells, plan.reused, plan.to_run, plan.estimated_from) == (10, 5, 5, 5)
    assert plan.not_included == () and ";" not in plan.cost_in_words()
    # the stand-in uses one Wh per image: 12, twice 6, twice 3; each training seed of srs has its own selection
    assert plan.wh is not None and plan.seconds is not None and plan.wh == pytest.approx(30, rel=0.01)


def test_a_plan_says_what_it_cannot_count(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    content = yaml.safe_load(config.read_text())
    place = config.parent / "ledger"
    config.write_text(yaml.safe_dump({**content, "reduce": {**content["reduce"], "methods": ["srs"]}}))
    run_experiment(config, place)
    content["proxy"] = {"epochs": 2, "imgsz": 32}
    config.write_text(yaml.safe_dump({**content, "reduce": {**content["reduce"], "methods": ["srs", "mms", "vps"]}}))
    plan = prepare_experiment(config, place).overview
    assert plan.not_included == ("features", "proxy training", "selection")
    assert plan.estimated_from == 6 and "6 similar" in plan.in_words()
    assert "features, proxy training and selection" in plan.in_words()
    for file in ("leakage.json", "near-duplicates.json"):
        (place / file).rename(place / "away")
        assert prepare_experiment(config, place).overview.not_included[0] == "searches for duplicates"
        (place / "away").rename(place / file)
    reduce = {**content["reduce"], "methods": ["srs"], "keep": [2], "drop_duplicates": "exact"}
    config.write_text(yaml.safe_dump({**content, "reduce": reduce}))
    assert prepare_experiment(config, place).overview.not_included == ("searches for duplicates", "selection")
    config.write_text(yaml.safe_dump(content))
    run_experiment(config, place)
    content["reduce"]["keep"] = [4]
    config.write_text(yaml.safe_dump(content))
    plan = prepare_experiment(config, place).overview
    assert plan.to_run == 4 and plan.not_included == (), "the features are there"


def test_a_proxy_is_expected_to_cost_as_much_an_image_and_epoch_as_one_alike(
    config: Path,
    stand_in_train: Callable[..., Any],
    stand_in_proxy: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def expected(**proxy: Any) -> Estimate | None:
        content["proxy"] = {"epochs": 2, "imgsz": 64, "batch": 4} | proxy
        config.write_text(yaml.safe_dump(content))
        return prepare_experiment(config, config.parent / "ledger")._experiment.sources.expected("proxy training")

    monkeypatch.setattr(run_module, "train", stand_in_train)
    content = yaml.safe_load(config.read_text())
    content["reduce"] |= {"methods": ["vps"], "keep": [3]}
    content["controls"] = []
    assert expected() is None
    run_experiment(config, config.parent / "ledger")
    # 40 s and 3 Wh for 12 images and 2 epochs
    assert expected(epochs=10) == Estimate(200, 15)
    assert expected(epochs=4, share=0.5, seed=1) == Estimate(40, 3)
    assert [expected(imgsz=96), expected(batch=8), expected(model="yolo11n.yaml")] == [None] * 3
    for proxy, left_out in (({"epochs": 10}, ("features",)), ({"imgsz": 96}, ("features", "proxy training"))):
        expected(**proxy)
        assert prepare_experiment(config, config.parent / "ledger").overview.not_included == left_out


def test_a_limit_stops_before_the_cell_that_would_go_beyond(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    said: list[str] = []
    place = config.parent / "ledger"
    # two cells of full take 12 Wh each, and half of the images takes 6; the exact energy of choosing is not known
    ledger = run_experiment(config, place, say=said.append, max_wh=37)
    assert [cell.training.energy["training"].wh for cell in ledger] == [12, 12, 6, 6]
    assert "max_wh=37" in said[-3] and said[-2].startswith("6 of 10 cells") and "Wh" in said[-1]
    assert len(run_experiment(config, place, max_hours=1e-9)) == 4
    assert len(run_experiment(config, place, max_hours=1, max_wh=1000)) == 10


def test_shards_share_the_cells_out_and_merge_to_the_whole(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    keys = []
    for number in (1, 2, 3):
        ledger = run_experiment(config, config.parent / f"shard{number}", shard=f"{number}/3")
        keys += ledger.cell_keys()
        merge_ledgers(ledger.path, config.parent / "whole")
    assert len(keys) == len(set(keys)) == 10
    whole = run_experiment(config, config.parent / "whole", say=lambda line: None)
    assert whole.cell_keys() == sorted(keys)
    assert len(finished_rows(whole)) == 10
    for bad in ("0/3", "4/3", "1", "1/0", "a/b", "-1/3"):
        with pytest.raises(InputError, match="i/n"):
            run_experiment(config, config.parent / "none", shard=bad)
    assert not (config.parent / "none").exists()


def test_two_processes_share_the_cells_and_what_overlapped_is_marked(config: Path) -> None:
    log, meeting = config.parent / "log", config.parent / "meeting"
    meeting.mkdir()
    # two forks of one process, because it takes seconds to import everything
    script = textwrap.dedent(
        f"""
        import os, pathlib, sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from conftest import _stand_in_train
        import codecarbon, torch._dynamo
        from detreduce.experiment import run
        from detreduce.experiment.ledger import waiting
        def slow(data, *, output, seed, **rest):
            with open({str(log)!r}, "a") as stream:
                stream.write(output.parent.name + "\\n")
            # on a busy machine one may be done before the other has started
            pathlib.Path({str(meeting)!r}, str(os.getpid())).touch()
            until = time.monotonic() + 1000
            while len(os.listdir({str(meeting)!r})) < 2 and time.monotonic() < until:
                time.sleep(0.02)
            time.sleep(0.05)
            return _stand_in_train(data, output=output, seed=seed)
        run.train = slow
        waiting.POLL_SECONDS = 0.1
        if child := os.fork():
            run.run_experiment({str(config)!r}, {str(config.parent / "ledger")!r})
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        run.run_experiment({str(config)!r}, {str(config.parent / "ledger")!r})
        """
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=2000)
    begun = log.read_text().split()
    assert len(begun) == len(set(begun)) == 10
    ledger = Ledger(config.parent / "ledger")
    rows = ledger.rows()
    assert len(rows) == 10
    times = sorted((cell.ran["started"], cell.ran["ended"], cell.key) for cell in ledger)
    truly = {key for a, b in itertools.pairwise(times) if b[0] < a[1] for key in (a[2], b[2])}
    assert truly, "they never ran at the same time"
    assert truly <= {row["key"] for row in rows if row["overlapped"]}
    # the processes also saw each other while they ran
    assert truly <= {cell.key for cell in ledger if cell.ran["overlapped"]}


def test_a_cell_says_where_and_when_it_ran(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    ledger = run_experiment(config, config.parent / "ledger")
    for cell in ledger:
        assert cell.ran["started"] < cell.ran["ended"] and cell.ran["overlapped"] is False
        assert cell.ran["machine"] == boot_identity() and cell.ran["host"] and cell.ran["training_seconds"] >= 0
    assert {row["overlapped"] for row in ledger.rows()} == {False}


def test_the_command_shows_the_plan_and_takes_limits_and_shards(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)

    def detreduce(*arguments: object) -> Result:
        given = ["run", str(config), "--output", str(config.parent / "ledger"), *map(str, arguments)]
        return CliRunner().invoke(app, given)

    dry = detreduce("--dry-run", "--shard", "2/2")
    assert dry.exit_code == 0 and "5 cells (shard 2/2): 0 finished before, 5 to run" in dry.stdout
    assert "together" in dry.stdout and "No estimate yet" in dry.stdout
    content = json.loads(detreduce("--dry-run", "--json").stdout)
    assert (content["cells"], content["to_run"], content["wh"]) == (10, 10, None)
    assert not (config.parent / "ledger").exists()
    stopped = detreduce("--max-wh", 37)
    assert stopped.exit_code == 0 and "Stopped by max_wh=37" in stopped.stderr
    assert "Next:" in stopped.stdout and "6 remaining cells" in stopped.stdout
    assert "detreduce report" not in stopped.output
    assert "6 of 10 cells" in stopped.stderr and "together" in stopped.stderr
    assert "4 similar finished cells" in detreduce("--dry-run").stdout
    assert len(json.loads(detreduce("--json").stdout)["cells"]) == 10
    for arguments, said in (
        (("--shard", "3/2"), "i/n"),
        (("--max-hours", 0), "max_hours=0"),
        (("--gpus-per-cell", 1), "needs --ray"),
    ):
        result = detreduce(*arguments)
        assert result.exit_code == 2 and said in result.stderr


def test_the_command_says_what_to_type_next(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    monkeypatch.chdir(config.parent)

    def detreduce(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["run", str(config), *arguments])

    half = detreduce("--shard", "1/2").stdout
    assert "Next: detreduce ledger merge OTHER runs/tiny adds the 5 cells of other shards" in half
    assert detreduce().stdout.splitlines()[-1] == "Next: detreduce report runs/tiny"
    assert "Next" not in detreduce("--json").output
    assert detreduce("--output", "a b").stdout.splitlines()[-1] == "Next: detreduce report 'a b'"

    def fail(*_: Any, **__: Any) -> Any:
        raise DetreduceError("The network has become NaN.")

    monkeypatch.setattr(run_module, "train", fail)
    failed = detreduce("reduce.keep=[4]")
    assert failed.exit_code == 1 and "Next" not in failed.output
    said = "Error: The network has become NaN. 4 of 6 cells remain. Run the same command again to continue.\n"
    assert failed.stderr.endswith(said)


@pytest.mark.parametrize(("choose", "on"), [("last", "val+test"), ("best", "auto")])
def test_figures_are_not_from_images_that_an_epoch_was_chosen_on(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, choose: str, on: str
) -> None:
    asked: list[str] = []

    def noted(data: Any, **arguments: Any) -> Any:
        asked.append(arguments["evaluate_on"])
        return stand_in_train(data, **arguments)

    monkeypatch.setattr(run_module, "train", noted)
    data = config.parent / "set" / "data.yaml"
    data.write_text(data.read_text() + "test: images\n")
    content = yaml.safe_load(config.read_text())
    content |= {"evaluate": {"choose": choose}, "reduce": {"methods": ["srs"], "keep": [3]}}
    config.write_text(yaml.safe_dump(content))
    run_experiment(config, config.parent / "ledger")
    assert set(asked) == {on}


@pytest.mark.parametrize("content", [b"[", b"\xff\xfe", b'[{"no": 1}]', b"3"])
def test_a_damaged_plan_is_told(tmp_path: Path, content: bytes) -> None:
    ledger = Ledger.create(tmp_path)
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(InputError, match=r"plan\.json is not a plan"):
        finished_rows(ledger)


def test_another_plan_in_the_ledger_does_not_change_what_a_run_shows(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    first = prepare_experiment(config, config.parent / "ledger")
    ledger = first.run()
    content = yaml.safe_load(config.read_text())
    content["reduce"]["methods"] = ["srs"]
    content["reduce"]["keep"] = [4]
    config.write_text(yaml.safe_dump(content))
    run_experiment(config, config.parent / "ledger")
    assert {row["keep"] for row in finished_rows(ledger) if not row["control"]} == {4}
    assert {row["keep"] for row in finished_rows(ledger, first.plan) if not row["control"]} == {0.5, 3}


@pytest.mark.parametrize(
    ("train", "evaluate", "message"),
    [
        ({"time": 0.5}, {}, r"train\.time: .*0\.5 hours"),
        ({"patience": 2, "epochs": 9}, {"choose": "best"}, r"train\.patience: 2 "),
    ],
)
def test_what_would_make_cells_unequal_is_refused(
    config: Path, train: dict[str, Any], evaluate: dict[str, Any], message: str
) -> None:
    content = yaml.safe_load(config.read_text())
    content["train"] |= train
    content["evaluate"] = {"on": "val", **evaluate}
    config.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=message):
        prepare_experiment(config, config.parent / "ledger")


def test_the_problems_of_the_data_are_said_and_kept(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    for row in (3, 4):
        (config.parent / "set" / "labels" / f"{row:02}.txt").write_text("0 32 24 20 20\n")
    said: list[str] = []
    ledger = run_experiment(config, config.parent / "ledger", say=said.append)
    (line,) = [line for line in said if "detreduce inspect" in line]
    # train and val are the same images
    assert "2 of the 12 images" in line and ": 2. " in line
    program = CliRunner()
    for arguments in (["run", config, "-o", ledger.path], ["run", config, "-o", ledger.path, "--dry-run"]):
        result = program.invoke(app, [*map(str, arguments), "--json"])
        found = json.loads(result.stdout)["problems"]
        assert (found["problems"], found["refused"], found["images"]) == (2, 2, 12)
        assert line in program.invoke(app, list(map(str, arguments))).stdout
    result = program.invoke(app, ["report", str(ledger.path), "--json"])
    assert json.loads(result.stdout)["problems"] == found
    assert line in program.invoke(app, ["report", str(ledger.path)]).stdout
    assert "2 of the 12 images of the train split" in (ledger.path / "report.html").read_text()


def test_an_experiment_on_labels_that_the_trainer_refuses_does_not_start(config: Path) -> None:
    for file in (config.parent / "set" / "labels").iterdir():
        file.write_text("0 32 24 20 20\n")
    with pytest.raises(InputError, match="all 12 images"):
        run_experiment(config, config.parent / "ledger")


def test_recipes_train_with_their_own_settings_and_images(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(data: Any, **arguments: Any) -> Any:
        calls.append({**arguments, "images": len(load_dataset(data, split="train"))})
        return stand_in_train(data, **arguments)

    monkeypatch.setattr(run_module, "train", counted)
    content = yaml.safe_load(config.read_text())
    del content["reduce"]
    content["train"] |= {"epochs": 2, "batch": 3, "lr0": 0.01, "optimizer": "SGD", "seeds": [5]}
    content["recipes"] = [
        {"batch": 2, "lr0": "sqrt", "images_seen": 0.5, "stream": "class_uniform"},
        {"name": "herded", "subset": {"name": "mms", "keep": 4}, "batch": 4, "images_seen": 24},
    ]
    content["controls"] = ["full_equal_iterations"]
    config.write_text(yaml.safe_dump(content))
    ledger = run_experiment(config, config.parent / "ledger")
    half, all_of_them, stream, subset = calls
    assert (half["images_per_epoch"], half["images"], half["recipe"].recipe) == (6, 12, None)
    assert (all_of_them["images_per_epoch"], all_of_them["images"]) == (12, 12)
    assert (stream["images_per_epoch"], stream["images"], stream["batch"], stream["nbs"]) == (6, 12, 2, 2)
    assert stream["lr0"] == pytest.approx(0.01 * (2 / 3) ** 0.5)
    assert stream["recipe"].recipe.stream.by == "class_uniform"
    assert (subset["images_per_epoch"], subset["images"], subset["batch"]) == (12, 4, 4)
    rows = {row["label"]: row for row in finished_rows(ledger)}
    assert rows["herded"]["images"] == 4 and rows["herded"]["keep"] == 12 and rows["herded"]["selection_hash"]
    assert rows["class_uniform-batch2-sqrt"]["recipe"]["stream"] == {"by": "class_uniform"}
    content["recipes"][1]["name"] = "renamed"
    config.write_text(yaml.safe_dump(content))
    again = run_experiment(config, ledger.path)
    assert len(calls) == 4, "a new name trains nothing again"
    assert "renamed" in {row["label"] for row in finished_rows(again)}


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"batch": 13}, "recipes.0: batch: 13 images are more than the 12"),
        ({"freeze": 30}, "no 30 layers"),
        ({"images_seen": 5, "batch": 6}, "5 images are less than one batch of 6"),
        ({"subset": {"name": "srs", "keep": 13}, "batch": 4}, "keep=13 is more than the 12 images"),
        ({"stream": {"by": "weights", "file": "nan.csv"}, "batch": 4}, "'nan' is not a weight"),
        ({"batch": 4, "imgsz": 32, "mosaic": 0.5}, ""),
    ],
)
def test_recipes_that_cannot_be_trained_are_refused_before_the_first_cell(
    config: Path, recipe: dict[str, Any], said: str
) -> None:
    (config.parent / "nan.csv").write_text("image,weight\n" + "".join(f"{row:02}.jpg,nan\n" for row in range(12)))
    content = {**yaml.safe_load(config.read_text()), "recipes": [recipe]}
    config.write_text(yaml.safe_dump(content))
    if not said:
        prepare_experiment(config, config.parent / "ledger")
        return
    with pytest.raises(InputError) as caught:
        prepare_experiment(config, config.parent / "ledger")
    assert said in str(caught.value)
