"""A folder of images whose labels are outside the folder is never read without a word about the labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import detreduce as dr
from detreduce.dataset.formats.unlabelled.read import UnreadLabels

NAMES = ("a", "b", "c")
XML = (
    "<annotation><filename>{0}.png</filename><size><width>32</width><height>32</height></size><object><name>cat</name>"
    "<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
)


def images_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        Image.new("RGB", (32, 32), (80 * number, 9, 9)).save(folder / f"{name}.png")
    return folder


def texts(folder: Path, suffix: str, text: str) -> None:
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}{suffix}").write_text(text.format(name))


def coco() -> str:
    images = [{"id": n, "file_name": f"{name}.png", "width": 32, "height": 32} for n, name in enumerate(NAMES)]
    boxes = [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}]
    return json.dumps({"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]})


def voc(root: Path) -> tuple[Path, Path]:
    texts(root / "Annotations", ".xml", XML)
    return images_in(root / "JPEGImages"), root


def voc_deep(root: Path) -> tuple[Path, Path]:
    texts(root / "Annotations", ".xml", XML)
    return images_in(root / "JPEGImages" / "camera 1"), root


def voc_odd_name(root: Path) -> tuple[Path, Path]:
    texts(root / "Annotations", ".xml", XML)
    return images_in(root / "pics"), root / "Annotations"


def yolo(root: Path) -> tuple[Path, Path]:
    texts(root / "labels", ".txt", "0 0.5 0.5 0.2 0.2")
    (root / "data.yaml").write_text("train: images\nval: images\nnames: [cat]\n")
    return images_in(root / "images"), root / "data.yaml"


def yolo_without_yaml(root: Path) -> tuple[Path, Path]:
    texts(root / "labels", ".txt", "0 0.5 0.5 0.2 0.2")
    return images_in(root / "images"), root / "labels"


def yolo_odd_name(root: Path) -> tuple[Path, Path]:
    texts(root / "labels", ".txt", "0 0.5 0.5 0.2 0.2")
    return images_in(root / "pics"), root / "labels"


def yolo_splits(root: Path) -> tuple[Path, Path]:
    (root / "labels").mkdir()
    texts(root / "labels/train", ".txt", "0 0.5 0.5 0.2 0.2")
    (root / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [cat]\n")
    return images_in(root / "images/train"), root / "data.yaml"


def coco_above(root: Path) -> tuple[Path, Path]:
    (root / "my labels.json").write_text(coco())
    return images_in(root / "images"), root


def coco_beside(root: Path) -> tuple[Path, Path]:
    (root / "annotations").mkdir()
    (root / "annotations/instances_train2017.json").write_text(coco())
    return images_in(root / "train2017"), root / "annotations"


def cvat(root: Path) -> tuple[Path, Path]:
    box = '<box label="cat" xtl="1" ytl="1" xbr="9" ybr="9" z_order="0"/>'
    rows = "".join(f'<image id="{n}" name="{x}.png" width="32" height="32">{box}</image>' for n, x in enumerate(NAMES))
    (root / "annotations.xml").write_text(f"<annotations><version>1.1</version>{rows}</annotations>")
    return images_in(root / "images"), root / "annotations.xml"


def table(root: Path) -> tuple[Path, Path]:
    (root / "boxes.csv").write_text("filename,xmin,ymin,xmax,ymax,class\na.png,1,1,9,9,cat\n")
    return images_in(root / "images"), root / "boxes.csv"


LAYOUTS: tuple[Callable[[Path], tuple[Path, Path]], ...] = (
    voc, voc_deep, voc_odd_name, yolo, yolo_without_yaml, yolo_odd_name,
    yolo_splits, coco_above, coco_beside, cvat, table,
)  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_labels_beside_or_above_the_images_are_named(
    layout: Callable[[Path], tuple[Path, Path]], tmp_path: Path
) -> None:
    root = tmp_path / "set"
    root.mkdir()
    folder, place = layout(root)
    dataset = dr.load_dataset(folder)
    assert not dataset.labelled and len(dataset) == 3
    problems = [problem for problem in dataset.problems if isinstance(problem, UnreadLabels)]
    assert problems and all(problem.file.is_relative_to(place) for problem in problems)
    with pytest.warns(UserWarning, match="abels are not read"):
        dr.reduce(folder, tmp_path / "out", method="first", keep=2, page=False)


def test_labels_of_other_images_are_not_named(tmp_path: Path) -> None:
    root = tmp_path / "set"
    root.mkdir()
    coco_above(root)
    (root / "boxes.csv").write_text("filename,xmin,ymin,xmax,ymax,class\nz.png,1,1,9,9,cat\n")
    others = root / "others"
    others.mkdir()
    Image.new("RGB", (32, 32)).save(others / "other.png")
    assert not dr.load_dataset(others).problems
    assert dr.load_dataset(root).labelled
