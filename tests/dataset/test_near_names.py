"""If a missing image differs from an existing file only in spelling, the problem names this file, in every format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from detreduce.dataset import load_dataset

XML = "<annotation><filename>{0}.jpg</filename><size><width>8</width><height>8</height></size></annotation>"
SPELLINGS = [("B", "b", "upper and lower case"), ("u\u0308", "\u00fc", "Unicode form")]


def images(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        Image.new("RGB", (8, 8)).save(folder / f"{name}.jpg")


def coco(root: Path, named: str, there: str) -> Path:
    images(root / "images", "a", there)
    listed = [{"id": n, "file_name": f"{name}.jpg", "width": 8, "height": 8} for n, name in enumerate(["a", named])]
    content = {"images": listed, "annotations": [], "categories": []}
    (root / "train.json").write_text(json.dumps(content))
    return root / "train.json"


def voc(root: Path, named: str, there: str) -> Path:
    images(root / "JPEGImages", "a", there)
    for folder in ("Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    (root / "Annotations" / "a.xml").write_text(XML.format("a"))
    (root / "ImageSets" / "Main" / "train.txt").write_text(f"a\n{named}\n", encoding="utf-8")
    return root


def yolo(root: Path, named: str, there: str) -> Path:
    images(root / "images", "a", there)
    (root / "train.txt").write_text(f"./images/a.jpg\n./images/{named}.jpg\n", encoding="utf-8")
    (root / "data.yaml").write_text("train: train.txt\nnames: [x]\n")
    return root / "data.yaml"


@pytest.mark.parametrize("make", [coco, voc, yolo])
@pytest.mark.parametrize(("named", "there", "how"), SPELLINGS, ids=["case", "form"])
def test_the_namesake_is_said(tmp_path: Path, make: object, named: str, there: str, how: str) -> None:
    dataset = load_dataset(make(tmp_path, named, there))  # type: ignore[operator]
    (problem,) = [str(one) for one in dataset.problems if "exists; the names differ in" in str(one)]
    assert how in problem and len(dataset) == 1


@pytest.mark.parametrize("make", [coco, voc, yolo])
def test_another_name_is_no_namesake(tmp_path: Path, make: object) -> None:
    dataset = load_dataset(make(tmp_path, "bb", "b"))  # type: ignore[operator]
    assert dataset.problems and not any("the names differ" in str(one) for one in dataset.problems)
