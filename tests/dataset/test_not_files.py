"""Entries with the name of a label or an image that are not files are listed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from detreduce.dataset import load_dataset


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


NOT_FILES = {
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "dangling link": lambda path: path.symlink_to("nothing"),
    "link to itself": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("make", NOT_FILES.values(), ids=NOT_FILES.keys())
@pytest.mark.parametrize("as_list", [False, True])
def test_a_label_that_is_no_file_is_not_background(tmp_path: Path, make: Callable[[Path], None], as_list: bool) -> None:
    for number in range(2):
        touch(tmp_path / f"images/train/{number}.png")
    (tmp_path / "labels/train").mkdir(parents=True)
    (tmp_path / "labels/train/1.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    make(tmp_path / "labels/train/0.txt")
    (tmp_path / "train.txt").write_text("./images/train/0.png\n./images/train/1.png\n")
    (tmp_path / "data.yaml").write_text(f"train: {'train.txt' if as_list else 'images/train'}\nnames: [x]\n")
    dataset = load_dataset(tmp_path)
    assert [record.unreadable for record in dataset] == [True, False]
    assert any(problem.file == tmp_path / "labels/train/0.txt" for problem in dataset.problems)


def test_a_folder_that_is_called_like_an_image_is_listed(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg/b.png")
    (tmp_path / "c.jpg").mkdir()
    dataset = load_dataset(tmp_path)
    assert [record.name for record in dataset] == ["a.jpg/b.png"]
    assert [problem.file for problem in dataset.problems] == [tmp_path / "c.jpg"]


@pytest.mark.parametrize("format", ["voc", "labelme"])
def test_annotations_that_are_folders_are_not_background(tmp_path: Path, format: str) -> None:
    images, notes = ("JPEGImages", "Annotations") if format == "voc" else ("", "")
    for number in range(2):
        touch(tmp_path / images / f"{number}.png")
    (tmp_path / notes).mkdir(exist_ok=True)
    if format == "voc":
        box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
        xml = f"<annotation><object><name>x</name>{box}</object></annotation>"
        (tmp_path / notes / "1.xml").write_text(xml)
        (tmp_path / notes / "0.xml").mkdir()
    else:
        shape = {"label": "x", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]}
        (tmp_path / "1.json").write_text(json.dumps({"shapes": [shape], "imagePath": "1.png"}))
        (tmp_path / "0.json").mkdir()
    dataset = load_dataset(tmp_path)
    assert [record.unreadable for record in dataset] == [True, False]


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(path.name)])
def test_a_json_that_is_no_file_does_not_stop_the_search(tmp_path: Path, make: Callable[[Path], None]) -> None:
    touch(tmp_path / "b.png")
    make(tmp_path / "a.json")
    assert [record.name for record in load_dataset(tmp_path)] == ["b.png"]
    coco = {"images": [{"id": 1, "file_name": "b.png"}], "annotations": [], "categories": [{"id": 1, "name": "x"}]}
    (tmp_path / "c.json").write_text(json.dumps(coco))
    assert load_dataset(tmp_path).source.format == "coco"
