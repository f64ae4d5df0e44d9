"""With ``drop_leaked``, no training of an experiment uses an image that is also in val or test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from detreduce.cli import app
from detreduce.dataset import load_dataset
from detreduce.errors import InputError
from detreduce.experiment import run as run_module
from detreduce.experiment.ledger.ledger import finished_rows
from detreduce.experiment.results.outcome import outcome_of
from detreduce.experiment.run import prepare_experiment, run_experiment
from detreduce.report import write_report
from detreduce.selection.record import Selection

CLEAN = ["train3.png", "train4.png", "train5.png", "train6.png"]


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """Seven images in train: 0 is val 0, 1 is val 1 mirrored, 2 is test 0, and 6 repeats 5."""
    rng = np.random.default_rng(0)
    pictures = [np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(8)]
    content = {
        "train": [pictures[0], pictures[1][:, ::-1], pictures[2], *pictures[3:6], pictures[5]],
        "val": [pictures[0], pictures[1], pictures[6]],
        "test": [pictures[2], pictures[7]],
    }
    for split, images in content.items():
        for row, image in enumerate(images):
            for folder in ("images", "labels"):
                (tmp_path / "frames" / split / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / "frames" / split / "images" / f"{split}{row}.png")
            label = tmp_path / "frames" / split / "labels" / f"{split}{row}.txt"
            label.write_text(f"{row % 2} 0.5 0.5 0.2 0.2\n")
    data = tmp_path / "frames" / "data.yaml"
    data.write_text("train: train/images\nval: val/images\ntest: test/images\nnames: [cat, dog]\n")
    return data


@pytest.fixture
def settings(leaky: Path, tmp_path: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    content = {
        "name": "clean",
        "dataset": "frames/data.yaml",
        "reduce": {"methods": ["srs"], "keep": [0.5], "seeds": [0], "drop_leaked": True},
        "train": {"model": "yolov8n.yaml", "epochs": 1, "batch": 2},
        "controls": ["full", "full_equal_iterations", "random"],
    }
    file = tmp_path / "clean.yaml"
    file.write_text(yaml.safe_dump(content))
    monkeypatch.setattr(run_module, "train", stand_in_train)
    return file


def edited(settings: Path, **reduce: Any) -> Path:
    content = yaml.safe_load(settings.read_text())
    content["reduce"] |= reduce
    settings.write_text(yaml.safe_dump(content))
    return settings


@pytest.mark.filterwarnings("error::detreduce.dataset.write.SubsetWarning")
def test_no_training_sees_a_leaked_image(settings, stand_in_train, monkeypatch):
    seen = {}

    def counted(data: Any, **given: Any) -> Any:
        seen[given["output"].parent.name] = ([record.name for record in load_dataset(data)], given["images_per_epoch"])
        return stand_in_train(data, **given)

    monkeypatch.setattr(run_module, "train", counted)
    said: list[str] = []
    ledger = run_experiment(settings, settings.parent / "ledger", say=said.append)
    line = "Leaks: 3 images of train match 3 images of val or test. They are left out of all trainings."
    assert line in said
    assert {key.split("-")[0] for key in ledger.cell_keys()} == {"full", "full_equal_iterations", "random", "srs"}
    assert len(seen) == 4
    assert all(set(names) <= set(CLEAN) for names, _ in seen.values())
    # all images means all images that remain, and a fraction refers to these images
    assert sorted(len(names) for names, _ in seen.values()) == [2, 2, 4, 4]
    assert sorted(steps for _, steps in seen.values() if steps) == [2]
    outcome = outcome_of(ledger)
    assert outcome.leaks is None and outcome.dropped == line
    assert outcome.leakage["counts"]["train / val"] == {"exact": 0, "near": 0, "of": 3}
    # the ledger names the dataset of the YAML, and both the YAML and the ledger's copy continue the same cells
    kept = yaml.safe_load((ledger.path / "config.yaml").read_text())
    assert kept["dataset"] == str(settings.parent / "frames" / "data.yaml")
    for again in (settings, ledger.path / "config.yaml"):
        assert not prepare_experiment(again, ledger.path).missing


def test_the_selections_and_the_report_show_the_cleaned_images(settings, leaky):
    ledger = run_experiment(settings, settings.parent / "ledger")
    key = next(row["key"] for row in finished_rows(ledger) if row["method"] == "srs")
    selection = Selection.load(ledger.cell_folder(key) / "selection.json")
    assert len(selection) == 2 and len(selection.scores) == 4
    page = write_report(ledger, settings.parent / "page.html").read_text()
    assert "is not the dataset of the selection" not in page
    assert "3 images of train match 3 images of val or test" in page
    # also if the dataset is passed
    assert (
        "is not the dataset of the selection" not in write_report(ledger, page_at(settings), dataset=leaky).read_text()
    )


def page_at(settings: Path) -> Path:
    return settings.parent / "again.html"


def test_keep_all_and_duplicates_count_what_remains(settings):
    prepared = prepare_experiment(edited(settings, keep=["all"], drop_duplicates=True))
    assert prepared.settings.reduce.keep == [3]


def test_lists_of_images_may_name_leaked_images(settings, leaky):
    frames = str(leaky.parent / "train" / "images" / "train3.png")
    prepared = prepare_experiment(edited(settings, keep=[2], exclude=["train0.png", frames], initial=["train1.png"]))
    cell = next(cell for cell in prepared.plan if cell.method == "srs")
    assert cell.composition == {"exclude": ["train/images/train3.png"]}
    with pytest.raises(InputError, match=r"reduce.must_keep: the image 'train2.png' is also in test"):
        prepare_experiment(edited(settings, exclude=[], must_keep=["train2.png"]))


def test_only_cells_of_data_with_leaks_change(settings, leaky):
    leaking = {cell.key for cell in prepare_experiment(edited(settings, drop_leaked=False)).plan}
    dropping = {cell.key for cell in prepare_experiment(edited(settings, drop_leaked=True)).plan}
    assert not leaking & dropping
    for row in range(3):
        (leaky.parent / "train" / "images" / f"train{row}.png").unlink()
        (leaky.parent / "train" / "labels" / f"train{row}.txt").unlink()
    clean = prepare_experiment(settings)
    assert clean.dropped is not None and not clean.dropped.images
    without = {cell.key for cell in prepare_experiment(edited(settings, drop_leaked=False)).plan}
    assert {cell.key for cell in clean.plan} == without == dropping


def test_train_that_is_val_is_refused(settings, leaky):
    leaky.write_text("train: train/images\nval: train/images\nnames: [cat, dog]\n")
    with pytest.raises(InputError, match="all images of train are also in val or test"):
        prepare_experiment(settings)


def test_it_is_a_setting_of_all_methods(settings):
    with pytest.raises(InputError, match=r"Set reduce.drop_leaked instead"):
        prepare_experiment(edited(settings, methods=[{"name": "srs", "drop_leaked": True}]))


def test_the_refusal_names_it_and_the_command_follows_it(settings, monkeypatch):
    monkeypatch.chdir(settings.parent)
    edited(settings, drop_leaked=False)
    refused = CliRunner().invoke(app, ["run", str(settings)])
    assert refused.exit_code == 2
    assert "add reduce.drop_leaked=true" in refused.output and "--allow-leaks" in refused.output
    dry = CliRunner().invoke(app, ["run", str(settings), "reduce.drop_leaked=true", "--dry-run", "--json"])
    content = json.loads(dry.stdout)
    assert content["leaks"] is None and len(content["dropped_leaks"]["images"]) == 3
    assert not (settings.parent / "runs").exists()
    done = CliRunner().invoke(app, ["run", str(settings), "reduce.drop_leaked=true"])
    assert done.exit_code == 0, done.output
    assert "They are left out of all trainings." in done.output


def test_messages_name_the_data_that_the_settings_name(settings, leaky):
    with (leaky.parent / "train" / "labels" / "train4.txt").open("a") as file:
        file.write("9 0.5 0.5 0.2 0.2\n")
    prepared = prepare_experiment(settings)
    assert prepared.problems.problems and prepared.problems.command == f"detreduce inspect {leaky} --all"
