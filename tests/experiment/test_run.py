from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from detreduce.config import FeaturesConfig
from detreduce.dataset import load_dataset
from detreduce.errors import InputError
from detreduce.experiment import run as run_module
from detreduce.experiment import sources
from detreduce.experiment.identity import features_identity
from detreduce.experiment.ledger import Ledger
from detreduce.experiment.run import data_identity, finished_rows, run_experiment
from detreduce.proxy_log import ProxyLog
from detreduce.selection import Selection


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Twelve images in two classes with given vectors; srs and mms at two keeps, two seeds: 1 x 2 + 2 x 2 x 2 cells."""
    for row in range(12):
        image = tmp_path / "set" / "images" / f"{row:02}.jpg"
        label = tmp_path / "set" / "labels" / f"{row:02}.txt"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (row * 20, 0, 0)).save(image)
        label.write_text(f"{row % 2} 0.5 0.5 0.2 0.2\n")
    (tmp_path / "set" / "data.yaml").write_text("train: images\nval: images\nnames: [a, b]\n")
    lines = [f"{row:02}.jpg,{row},{row % 5}" for row in range(12)]
    (tmp_path / "vectors.csv").write_text("\n".join(["image,x,y", *lines]) + "\n")
    content = {
        "name": "tiny",
        "dataset": "set/data.yaml",
        "features": {"backbone": "file:vectors.csv", "blocks": ["image"]},
        "reduce": {"methods": ["srs", "mms"], "keep": [0.5, 3], "seeds": [0, 1]},
        "train": {"model": "yolov8n.yaml", "seeds": [0, 1], "epochs": 1},
        "evaluate": {"on": "val"},
    }
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


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
    def slow_select(*arguments: Any, **named: Any) -> Any:
        time.sleep(0.2)
        return run_module_select(*arguments, **named)

    run_module_select = run_module.select
    monkeypatch.setattr(run_module, "train", stand_in_train)
    monkeypatch.setattr(run_module, "select", slow_select)
    ledger = run_experiment(config, config.parent / "ledger")
    assert len(list(ledger.path.glob("features-*.json"))) == 1
    seconds = [row["selection_seconds"] for row in ledger.rows() if not row["control"]]
    assert len(seconds) == 8 and max(seconds) < 8 * 0.2, "seconds add up from cell to cell"
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
    """A proxy whose log says that the boxes of later images vary more; returns the calls."""
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
        facts = {"energy": energy, "imgsz": 64}
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
            # even images are of the first class, which has two of three seats
            assert kept == ({0, 2, 1} if easy else {10, 8, 11})
    (proxy,) = ledger.path.glob("proxy-*")
    content["reduce"]["keep"] = [3, 4]
    config.write_text(yaml.safe_dump(content))
    run_experiment(config, ledger.path)
    assert len(ledger) == 12 and len(stand_in_proxy) == 1, "a second run reads the log"
    # what a killed proxy may leave: weights without a log
    (proxy / "proxy.npz").rename(proxy / "proxy.pt")
    content["reduce"]["keep"] = [5]
    config.write_text(yaml.safe_dump(content))
    run_experiment(config, ledger.path)
    assert len(stand_in_proxy) == 2
    content["proxy"]["epochs"] = 3
    config.write_text(yaml.safe_dump(content))
    run_experiment(config, ledger.path)
    assert len(stand_in_proxy) == 3 and len(ledger) == 22, "another proxy makes other cells, of its methods alone"


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
    assert "proxy.model: yolov8n-seg.yaml: a proxy is a plain YOLO detector" in str(caught.value)
    assert "proxy.share: keep=500" in str(caught.value)


def test_killed_at_any_moment_nothing_finished_is_lost_or_repeated(config: Path) -> None:
    """SIGKILL five times; every finished cell was trained exactly once to its end."""
    log = config.parent / "log"
    script = textwrap.dedent(
        f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from conftest import _stand_in_train
        from detreduce.experiment import run
        def slow(data, *, output, seed, **rest):
            time.sleep(0.15)
            record = _stand_in_train(data, output=output, seed=seed)
            return record
        run.train = slow
        finish = run.Ledger.finish
        def logged(self, work, cell):
            finish(self, work, cell)
            with open({str(log)!r}, "a") as stream:
                stream.write(cell.key + "\\n")
        run.Ledger.finish = logged
        run.run_experiment({str(config)!r}, {str(config.parent / "ledger")!r})
        """
    )
    environment = {**os.environ, "DETREDUCE_CACHE": str(config.parent / "cache")}
    ledger = Ledger(config.parent / "ledger")
    for kill in range(5):
        process = subprocess.Popen([sys.executable, "-c", script], env=environment)
        target = len(ledger) + 1
        while len(ledger) < target and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.04 * kill)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert len(ledger) == 10
    assert all(cell.training.data.train_images in (3, 6, 12) for cell in ledger)
    finished = log.read_text().splitlines()
    assert len(finished) == len(set(finished)), "a finished cell was repeated"
    assert not any((ledger.path / "unfinished").iterdir())


@pytest.mark.usefixtures("stand_in_reducers")
def test_methods_that_need_object_vectors_get_them_or_are_told_of_before_the_first_cell(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    content = yaml.safe_load(config.read_text())
    content["reduce"] = {"methods": ["by_vectors", "by_objects"], "keep": [3]}
    config.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"features\.blocks: .*gives no feature map") as caught:
        run_experiment(config, config.parent / "ledger")
    assert str(caught.value).count("features.blocks") == 1
    content["features"] = {"backbone": "efficientnet-lite0", "imgsz": 32, "blocks": ["image"]}
    config.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"features\.blocks: .*name 'objects' among the blocks"):
        run_experiment(config, config.parent / "ledger")
    content["features"]["blocks"] = ["objects"]
    config.write_text(yaml.safe_dump(content))
    ledger = run_experiment(config, config.parent / "ledger")
    cost = json.loads(next(ledger.path.glob("features-*.json")).read_text())
    assert (cost["made"], cost["from_cache"]) == (12, 0)
    selections = [cell for cell in finished_rows(ledger) if not cell["control"]]
    assert {row["method"] for row in selections} == {"by_vectors", "by_objects"}
    # read back for more cells, features cost next to nothing; what they did cost is kept
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
    from detreduce.experiment import redundancy

    monkeypatch.setattr(run_module, "train", stand_in_train)
    searches = []

    def counted(*arguments: Any, **options: Any) -> Any:
        searches.append(arguments)
        return find(*arguments, **options)

    find = redundancy.find_duplicates
    monkeypatch.setattr(redundancy, "find_duplicates", counted)
    images = config.parent / "set" / "images"
    (images / "01.jpg").write_bytes((images / "00.jpg").read_bytes())
    content = yaml.safe_load(config.read_text())
    content["reduce"] |= {"drop_duplicates": "exact", "class_floor": 1, "must_keep": ["01.jpg"], "keep": [0.5]}
    config.write_text(yaml.safe_dump(content))
    ledger = run_experiment(config, config.parent / "ledger")
    rows = [row for row in finished_rows(ledger) if not row["control"]]
    assert len(searches) == 1
    assert len(rows) == 4 and all(row["duplicates_seconds"] >= 0 and row["images"] == 6 for row in rows)
    assert all("drop_duplicates=exact" in row["label"] for row in rows)
    for file in ledger.path.rglob("selection.json"):
        chosen = Selection.load(file)
        assert "images/01.jpg" in chosen.image_ids and "images/00.jpg" not in chosen.image_ids


def test_a_keep_that_leaves_no_room_is_refused_before_the_first_cell(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", lambda *_, **__: pytest.fail("too late"))
    images = config.parent / "set" / "images"
    for row in range(6):
        (images / f"{row:02}.jpg").write_bytes((images / "11.jpg").read_bytes())
    content = yaml.safe_load(config.read_text())
    for change, said in (
        ({"drop_duplicates": "exact", "keep": [0.9]}, "11 images are to be kept, but 6 of 12 are left"),
        ({"class_floor": 4}, "srs at keep 3: 3 images are to be kept, but 8 fill the floor"),
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
