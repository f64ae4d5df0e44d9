"""Small datasets to merge. An image's bytes depend only on its number, so two datasets can have the same image."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from detreduce.dataset import DetectionDataset, load_dataset

SIZE = (64, 32)
# a box: (class, x, y, width, height) in pixels
Box = tuple[str, int, int, int, int]
Content = Mapping[str, Mapping[int, Sequence[Box]]]
"""Split -> number of an image -> boxes."""
Shown = dict[bytes, list[tuple[str, tuple[float, ...]]]]


def picture(number: int) -> bytes:
    """Return an image file that differs from the images of all other numbers."""
    file = io.BytesIO()
    Image.new("RGB", SIZE, (number % 256, number // 256, 7)).save(file, "PNG")
    return file.getvalue()


def make_yolo(root: Path, content: Content, classes: Sequence[str], name: str = "{}.png") -> Path:
    for split, images in content.items():
        for number, boxes in images.items():
            image = root / "images" / split / name.format(number)
            label = root / "labels" / split / Path(name.format(number)).with_suffix(".txt")
            for file in (image, label):
                file.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(picture(number))
            rows = [
                (classes.index(k), (x + w / 2) / SIZE[0], (y + h / 2) / SIZE[1], w / SIZE[0], h / SIZE[1])
                for k, x, y, w, h in boxes
            ]
            label.write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
    entries = {split: f"images/{split}" for split in content}
    (root / "data.yaml").write_text(yaml.safe_dump({**entries, "names": list(classes)}))
    return root / "data.yaml"


def make_coco(root: Path, content: Content, classes: Sequence[str], name: str = "{}.png") -> Path:
    entries = {}
    for split, images in content.items():
        (root / split).mkdir(parents=True, exist_ok=True)
        listed: dict[str, list[object]] = {"images": [], "annotations": [], "categories": []}
        for number, boxes in images.items():
            (root / split / name.format(number)).write_bytes(picture(number))
            entry = {"id": number + 1, "file_name": name.format(number), "width": SIZE[0], "height": SIZE[1]}
            listed["images"].append({**entry, "camera": f"c{number}"})
            for k, x, y, w, h in boxes:
                polygon = [[x, y, x + w, y, x + w, y + h]]
                own = {"id": len(listed["annotations"]), "image_id": number + 1, "category_id": classes.index(k) + 3}
                listed["annotations"].append(
                    {**own, "bbox": [x, y, w, h], "area": w * h / 2, "segmentation": polygon, "iscrowd": 0}
                )
        listed["categories"] = [{"id": place + 3, "name": label} for place, label in enumerate(classes)]
        (root / f"{split}.json").write_text(json.dumps(listed))
        entries[split] = {"annotations": f"{split}.json", "images": split}
    (root / "data.yaml").write_text(yaml.safe_dump({"format": "coco", **entries}))
    return root / "data.yaml"


def shown(dataset: DetectionDataset) -> Shown:
    """Return content of an image -> its boxes with the names of their classes."""
    corners = np.round(dataset.boxes_xyxyn, 6)
    found: Shown = {}
    for row, record in enumerate(dataset):
        mine = dataset.box_rows == row
        names = [dataset.class_names[number] for number in dataset.box_classes[mine].tolist()]
        found[record.path.read_bytes()] = sorted(zip(names, map(tuple, corners[mine].tolist()), strict=True))
    return found


def all_shown(path: Path) -> dict[str, Shown]:
    """Return `shown` of each split of the dataset at `path`."""
    listed = yaml.safe_load((path / "data.yaml").read_text())
    return {split: shown(load_dataset(path, split)) for split in ("train", "val", "test") if split in listed}


def wanted(content: Content) -> dict[str, Shown]:
    """Return what `all_shown` returns for a content."""
    return {
        split: {
            picture(number): sorted(
                (k, tuple(np.round([x / SIZE[0], y / SIZE[1], (x + w) / SIZE[0], (y + h) / SIZE[1]], 6).tolist()))
                for k, x, y, w, h in boxes
            )
            for number, boxes in images.items()
        }
        for split, images in content.items()
    }


def by_ultralytics(data: Path, split: str) -> dict[bytes, list[str]]:
    """Return content of an image -> the class names of its boxes, as ultralytics reads them."""
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset
    from ultralytics.utils import LOGGER

    LOGGER.setLevel("ERROR")
    found = check_det_dataset(str(data), autodownload=False)
    theirs = YOLODataset(img_path=found[split], data=found, task="detect", augment=False, imgsz=32, rect=False)
    return {
        Path(label["im_file"]).read_bytes(): sorted(found["names"][int(number)] for number in label["cls"].ravel())
        for label in theirs.labels
    }


def by_pycocotools(output: Path, split: str) -> dict[bytes, list[str]]:
    """Return content of an image -> the class names of its annotations, as pycocotools reads them."""
    from pycocotools.coco import COCO

    entry = yaml.safe_load((output / "data.yaml").read_text())[split]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(output / entry["annotations"])
    return {
        (output / entry["images"] / image["file_name"]).read_bytes(): sorted(
            coco.cats[note["category_id"]]["name"] for note in coco.loadAnns(coco.getAnnIds(imgIds=[key]))
        )
        for key, image in coco.imgs.items()
    }
