"""The command `split`, and the messages that name it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from invocation import detreduce

from detreduce.dataset import load_dataset
from detreduce.errors import InputError


@pytest.fixture
def only_train(copies: Path) -> Path:
    """The data.yaml of a dataset without val."""
    copies.write_text("train: train/images\nnames: [cat, dog]\n")
    shutil.rmtree(copies.parent / "val")
    return copies


def test_what_is_printed_can_be_typed(only_train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = detreduce("inspect", only_train)
    [command] = [line[6:] for line in told.stdout.splitlines() if line.startswith("Next: ")]
    assert shlex.split(command)[:2] == ["detreduce", "split"]
    result = detreduce(*shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    [command] = [line[6:] for line in result.stdout.splitlines() if line.startswith("Next: ")]
    found = detreduce(*shlex.split(command)[1:])
    assert "No image of val or test is equal or nearly equal to an image of train" in found.stdout


@pytest.mark.parametrize("val", ["", "val: train/images\n"])
@pytest.mark.parametrize("options", [(), ("--seed", "3", "--groups", r"(\d)")])
def test_without_val_one_command_holds_out_both_splits(
    only_train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, val: str, options: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    only_train.write_text(f"train: train/images\n{val}names: [cat, dog]\n")
    result = detreduce("split", only_train, "--test", "2", *options, "--output", "first")
    assert result.exit_code == 0, result.output
    [command] = re.findall(r"`(detreduce split [^`]+)`", result.stderr.replace("\n", " "))
    words = shlex.split(command)
    assert words[words.index("--test") + 1] == "2" and "--val" in words
    assert set(options) <= set(words)
    assert detreduce(*words[1:]).exit_code == 0
    output = tmp_path / words[words.index("--output") + 1]
    assert len(load_dataset(output, split="test")) == 2 and len(load_dataset(output, split="val")) > 0


def test_unlabelled_images_are_not_to_be_split(
    tmp_path: Path, only_train: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = only_train.parent / "train/images"
    Path("all.yaml").write_text(f"format: images\ntrain: {folder}\nval: {folder}\n")
    found = detreduce("inspect", "all.yaml")
    assert found.exit_code == 0 and "detreduce split" not in found.output and "--drop-leaked" not in found.output
    result = detreduce("reduce", "all.yaml", "--keep", "all", "--drop-leaked", "--output", "out")
    assert result.exit_code == 2 and "detreduce split" not in result.output


def test_json_has_the_counts(only_train: Path, tmp_path: Path) -> None:
    result = detreduce("split", only_train, "--val", "2", "--output", tmp_path / "out", "--json")
    found = json.loads(result.stdout)
    assert found["images"] == {"train": 4, "val": 2}
    assert found["together"] == 2
    assert len(load_dataset(found["data"], split="val")) == 2


def test_wrong_values_are_one_sentence(only_train: Path, tmp_path: Path) -> None:
    for wrong, words in ((("--val", "some"), "--val 'some' is not a number"), (("--val", "20"), "val=20 is more than")):
        result = detreduce("split", only_train, *wrong, "--output", tmp_path / "out")
        assert result.exit_code == 2
        assert words in result.stderr
        assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("inspect",),
        ("duplicates",),
        ("train", "--model", "yolov8n.yaml", "epochs=1"),
        ("reduce", "--keep", "all", "--drop-leaked", "--output", "out"),
        ("reduce", "--keep", "3", "--method", "srs", "--output", "out"),
    ],
)
def test_wherever_val_is_train_the_command_is_named(
    only_train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    only_train.write_text("train: train/images\nval: train/images\nnames: [cat, dog]\n")
    result = detreduce(command[0], only_train, *command[1:])
    assert "detreduce split" in result.output.replace("\n", " ")


@pytest.mark.parametrize("form", [(), ("--format", "yolo")])
def test_what_is_reduced_without_a_val_split_is_split_next(
    only_train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = detreduce("reduce", only_train, "--keep", "4", "--method", "srs", "--output", "few", "--no-page", *form)
    [command] = [line[6:] for line in result.stdout.splitlines() if line.startswith("Next: ")]
    assert command == "detreduce split few/data.yaml --val 0.2 --output few-with-val"
    assert detreduce(*shlex.split(command)[1:]).exit_code == 0


def test_a_training_without_evaluation_says_so_before_it_trains(
    only_train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def stop(*_: object, **__: object) -> None:
        raise InputError("the training would begin here")

    monkeypatch.setattr("detreduce.training.run.folder.write_yolo_view", stop)
    result = detreduce("train", only_train, "--model", "yolov8n.yaml", "epochs=1")
    [line, last] = result.stderr.splitlines()
    assert line.startswith("Without evaluation: there is no val split, and there is no test split. Hold out a part of")
    assert "`detreduce split " in line and "would begin here" in last


def test_a_training_without_labels_says_how_to_choose_images_to_label(
    only_train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = detreduce("train", only_train.parent / "train" / "images", "--model", "yolov8n.yaml")
    assert result.exit_code == 2 and "Label images first" in result.stderr
    assert "detreduce reduce" in result.stderr and "--keep 0.25 --output images-to-label" in result.stderr
