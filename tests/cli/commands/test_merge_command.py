from __future__ import annotations

import json
from pathlib import Path

from invocation import detreduce

from detreduce.dataset import load_dataset


def another(data: Path, folder: Path) -> Path:
    """Write a second round: image 0 of the first round with another label, and a new image of the same name as 1."""
    for place in ("images", "labels"):
        (folder / place).mkdir(parents=True)
    (folder / "images/0.jpg").write_bytes((data.parent / "images/0.jpg").read_bytes())
    (folder / "images/1.jpg").write_bytes((data.parent / "images/6.jpg").read_bytes() + b"\xff\xd9")
    (folder / "labels/0.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    (folder / "labels/1.txt").write_text("0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.2 0.2\n")
    (folder / "data.yaml").write_text("train: images\nnames: [bird, dog]\n")
    return folder / "data.yaml"


def test_what_a_merge_says_and_its_json(yolo_folder: Path, tmp_path: Path) -> None:
    yolo_folder.write_text(yolo_folder.read_text().replace("val: images\n", ""))
    two = another(yolo_folder, tmp_path / "two")
    result = detreduce("merge", yolo_folder, two, "-o", tmp_path / "all")
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "Renamed, because their names are in use: 1" in said and "train/1-2.jpg" in said
    assert "boxes: 1). Labels of:" in said
    # image 3 has a line that ultralytics refuses
    assert "Left out: 1" in said and "3.jpg (train): its labels cannot be read" in said
    assert "Merged: 8 images (8 in train), 8 boxes, 3 classes" in said
    assert f"Next: detreduce inspect {tmp_path / 'all' / 'data.yaml'}" in result.output
    merged = load_dataset(tmp_path / "all")
    assert merged.class_names == ("cat", "dog", "bird")
    again = detreduce("merge", yolo_folder, two, "-o", tmp_path / "all", "--overwrite", "--json")
    content = json.loads(again.stdout)
    assert content["splits"] == {"train": 8} and content["format"] == "yolo"
    assert [one["conflict"] for one in content["repeated"]] == [True]
    assert detreduce("inspect", tmp_path / "all").exit_code == 0


def test_what_cannot_be_merged_has_exit_code_2(yolo_folder: Path, tmp_path: Path) -> None:
    two = another(yolo_folder, tmp_path / "two")
    for arguments, message in (
        ([yolo_folder], "Pass at least two datasets"),
        ([yolo_folder, tmp_path / "non"], "does not exist"),
        ([yolo_folder, two, "--strict"], "Leave out strict (--strict)"),
        ([yolo_folder, two, "--format", "voc"], "--format"),
        ([yolo_folder, two, "--images", tmp_path], "leave out the folder of images"),
    ):
        result = detreduce("merge", *arguments, "-o", tmp_path / "all")
        assert result.exit_code == 2, result.output
        assert message in " ".join(result.output.split()), result.output
    assert not (tmp_path / "all").exists()
