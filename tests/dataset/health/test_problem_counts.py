"""The number of problems of a dataset, and the number of images that the trainer refuses."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from detreduce.cli import app
from detreduce.dataset import load_dataset
from detreduce.dataset.health.problem_counts import count_problems
from detreduce.errors import InputError
from detreduce.training.run.folder import make_run_folder


def make_yolo(root: Path, labels: dict[str, str], split: str = "train") -> Path:
    for name, text in labels.items():
        for folder in ("images", "labels"):
            (root / folder / split).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(root / "images" / split / f"{name}.jpg")
        (root / "labels" / split / f"{name}.txt").write_text(text)
    data = root / "data.yaml"
    data.write_text("train: images/train\nval: images/val\nnames: [a, b]\n")
    return data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two good images, one with a repeated box, and three that ultralytics refuses; two refused in val."""
    good, bad = "0 0.5 0.5 0.2 0.2\n", "0 32 24 20 20\n"
    make_yolo(tmp_path, {"v0": bad, "v1": bad, "v2": good}, "val")
    train = {"0": good, "1": good, "2": good * 2, "3": bad, "4": "1 0.5 0.5 -0.1 0.2\n", "5": "7 0.5 0.5 0.1 0.1\n"}
    return make_yolo(tmp_path, train)


def problems_listed(command: str) -> list[dict[str, object]]:
    program, *arguments = shlex.split(command)
    assert program == "detreduce"
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout)["problems"])


def test_counts_are_those_that_inspect_lists(data: Path) -> None:
    dataset = load_dataset(data)
    counts = count_problems(dataset)
    assert (counts.problems, counts.refused, counts.images) == (6, 3, 6)
    assert len(problems_listed(counts.command)) == 6
    kept = count_problems(dataset, dataset.records[2:4])
    assert (kept.problems, kept.refused, kept.images) == (6, 1, 2)
    assert "6" in kept.line and "1 of the 2 kept images" in kept.line and kept.command in kept.line
    assert "\n" not in kept.line
    val = count_problems(load_dataset(data, split="val"))
    assert (val.problems, val.refused, val.images) == (6, 2, 3)
    assert len(problems_listed(val.command)) == 6


def test_nothing_is_said_of_a_dataset_without_problems(tmp_path: Path) -> None:
    make_yolo(tmp_path, {"v": ""}, "val")
    counts = count_problems(load_dataset(make_yolo(tmp_path, {"t": "0 0.5 0.5 0.1 0.1"})))
    assert (counts.problems, counts.refused) == (0, 0)
    assert counts.line == ""


def test_the_command_names_the_images_folder(tmp_path: Path) -> None:
    (tmp_path / "pictures of today").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "pictures of today" / "a.png")
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [60, 40, 20, 20]}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}],
        "annotations": [box],
        "categories": [{"id": 1, "name": "cat"}],
    }
    file = tmp_path / "some.json"
    file.write_text(json.dumps(content))
    counts = count_problems(load_dataset(file, images=tmp_path / "pictures of today"))
    assert len(problems_listed(counts.command)) == counts.problems == 1


def test_reduce_says_the_counts(data: Path, tmp_path: Path) -> None:
    arguments = ["reduce", str(data), "-m", "srs", "--keep", "1.0", "-o"]
    shown = CliRunner().invoke(app, [*arguments, str(tmp_path / "out")])
    assert shown.exit_code == 0, shown.output
    (line,) = [line for line in shown.output.splitlines() if "3 of the 6 kept images" in line]
    assert "detreduce inspect" in line
    found = json.loads(CliRunner().invoke(app, [*arguments, str(tmp_path / "out2"), "--json"]).stdout)["problems"]
    assert (found["problems"], found["refused"], found["images"]) == (6, 3, 6)


def test_a_training_knows_the_counts_and_refuses_what_has_nothing_to_train_on(data: Path, tmp_path: Path) -> None:
    run = make_run_folder(data, tmp_path / "run", label="x")
    assert (run.problems.problems, run.problems.refused, run.problems.images) == (6, 3, 6)
    for file in (data.parent / "labels" / "train").iterdir():
        file.write_text("0 32 24 20 20\n")
    with pytest.raises(InputError, match="all 6 images") as caught:
        make_run_folder(data, tmp_path / "again", label="x")
    assert "detreduce inspect" in str(caught.value) and not (tmp_path / "again").exists()


@pytest.mark.parametrize("kind", ["gone", "itself", "pipe", "folder"])
@pytest.mark.parametrize("labelled", [True, False])
def test_what_is_not_a_file_is_listed_and_left_out(tmp_path: Path, kind: str, labelled: bool) -> None:
    import os

    data = make_yolo(tmp_path, {"0": "0 0.5 0.5 0.1 0.1", "1": "1 0.5 0.5 0.1 0.1"})
    make_yolo(tmp_path, {"v": ""}, "val")
    bad = tmp_path / "images" / "train" / "bad.jpg"
    if kind == "pipe":
        os.mkfifo(bad)
    else:
        (tmp_path / "empty").mkdir()
        bad.symlink_to({"gone": "nowhere.jpg", "itself": "bad.jpg", "folder": "../../empty"}[kind])
    dataset = load_dataset(data if labelled else tmp_path / "images" / "train")
    assert [record.path.name for record in dataset] == ["0.jpg", "1.jpg"]
    assert [problem.file for problem in dataset.problems if problem.file == bad] == [bad]
    result = CliRunner().invoke(app, ["reduce", str(dataset.source.path), "--keep", "1.0", "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
