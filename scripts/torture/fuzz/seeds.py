"""Valid files of each format. The parsers read damaged copies of these files."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import operations
from operations import picture


def make_labelme(root: Path) -> None:
    shape = {"label": "a", "shape_type": "rectangle", "points": [[1, 1], [9, 9]], "flags": {}, "group_id": None}
    for row in range(2):
        picture(root / f"{row}.jpg", row)
        note = {"version": "5.0.1", "flags": {}, "shapes": [shape], "imagePath": f"{row}.jpg", "imageData": None}
        (root / f"{row}.json").write_text(json.dumps({**note, "imageHeight": 24, "imageWidth": 32}))


def make_createml(root: Path) -> None:
    box = {"label": "a", "coordinates": {"x": 6, "y": 6, "width": 8, "height": 8}}
    for row in range(2):
        picture(root / f"{row}.jpg", row)
    entries = [{"image": f"{row}.jpg", "annotations": [box]} for row in range(2)]
    (root / "_annotations.createml.json").write_text(json.dumps(entries))


def make_listed(root: Path) -> None:
    operations.make_yolo(root)
    (root / "train.txt").write_text("".join(f"./images/train/{row}.jpg\n" for row in range(operations.ROWS)))
    (root / "data.yaml").write_text("train: train.txt\nval: images/val\nnames: [a, b]\n")


def make_mixed(root: Path) -> None:
    """Make all the files to which the texts in `YAMLS` refer."""
    operations.make_voc(root)
    operations.make_coco(root)
    operations.make_yolo(root)
    (root / "train.txt").write_text("0\n1\n")


def make_darknet(root: Path) -> None:
    make_listed(root)
    (root / "data.yaml").unlink()
    (root / "obj.names").write_text("a\nb\n")
    (root / "obj.data").write_text("classes = 2\ntrain = train.txt\nnames = obj.names\nbackup = backup/\n")


def make_selection(root: Path) -> None:
    import detreduce

    operations.make_yolo(root)
    data = detreduce.load_dataset(root / "data.yaml")
    made = detreduce.select(data, "class_coverage", keep=3, must_keep=[data[1].id], class_floor=1)
    # the time that the choice took differs between runs, and must not change the inputs
    (root / "selection.json").write_text(re.sub(r'"seconds": [0-9.e-]+', '"seconds": 0.5', made.to_json()))


def make_ledger(root: Path) -> None:
    tests = str(Path(__file__).resolve().parents[3] / "tests" / "report")
    if tests not in sys.path:
        sys.path.insert(0, tests)
    from made_up import made_up_ledger

    made_up_ledger(root / "made", [{"label": "full", "keep": 1.0, "seed": 0}, {"label": "srs", "keep": 0.5, "seed": 0}])
    (root / "made").rename(root / "ledger")
    keys = sorted(place.name for place in (root / "ledger/cells").iterdir())
    (root / "ledger/plan.json").write_text(json.dumps([{"key": key} for key in keys]))


def make_record(root: Path) -> None:
    make_ledger(root)
    place = next((root / "ledger").rglob("record.json"))
    (root / "record.json").write_bytes(place.read_bytes())


def make_proxy(root: Path) -> None:
    import numpy as np

    from detreduce.arrays.proxy_log import MEASURES, ProxyLog

    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {name: generator.random((3, 5)).astype(kind) for name, kind in MEASURES.items()}
    rows, kinds = np.array([0, 0, 2, 2, 2], np.int32), np.array([0, 1, 1, 0, 0], np.int32)
    corners = generator.random((5, 4)).astype(np.float16)
    log = ProxyLog(("a.jpg", 7, "b.jpg"), rows, kinds, corners, **arrays, facts={"epochs": 3, "seed": 3})
    log.save(root / "proxy.npz")


def make_evidence(root: Path) -> None:
    import numpy as np

    from detreduce.training.evaluation.evidence import THRESHOLDS, Evidence

    images = np.array(["a.jpg", "b.jpg"])
    hit = np.ones((3, THRESHOLDS), bool)
    truth = np.ones((2, 2), np.int32)
    rows, kinds = np.array([0, 1, 0], np.int32), np.array([0, 0, 1], np.int32)
    Evidence(images, truth, rows, kinds, np.array([0.9, 0.8, 0.7]), hit, ~hit).save(root / "evidence.npz")


def make_names(root: Path) -> None:
    operations.make_yolo(root)
    (root / "keep.txt").write_text("0.jpg\n1.jpg\n\n2.jpg\n")


YAMLS = (
    b"path: .\ntrain: [images/train, images/val]\nval: images/val\nnc: 2\nnames:\n  0: a\n  1: b\nkpt_shape: [17, 3]\n",
    b"train: &a images/train\nval: *a\n# note\nnames: {0: 'a', 1: \"b\"}\nflip_idx: [0, 1]\nroboflow: {license: MIT}\n",
    b"format: coco\ntrain: {annotations: annotations/train.json, images: images}\n",
    b"format: coco\npath: .\ntrain: {annotations: annotations/train.json, images: images}\nval: {annotations: "
    b"annotations/train.json, images: [images]}\n",
    b"format: voc\npath: .\nsplits: {train: ImageSets/Main/train.txt}\n",
    b"format: voc\npath: .\ntrain: train\n",
)
LABELS = (
    b"0 0.1 0.2 0.3 0.4\n1 0.9 0.9 0.1 0.1\n\n",
    b"1 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n",
    b"0 0.5 0.5 0.1 0.1 0.4 0.4 2 0.6 0.6 1\r\n",
)
COCO = json.dumps(
    {
        "info": {"year": 2017, "description": "\u00e4"},
        "licenses": [{"id": 1, "name": "x", "url": "http://example.org"}],
        "images": [{"id": "0", "file_name": "0.jpg", "width": 32, "height": 24, "license": 1}],
        "annotations": [
            {"id": 1, "image_id": "0", "category_id": 3, "bbox": [1.5, 1, 5, 5], "area": 25, "iscrowd": 0},
            {"id": 2, "image_id": "0", "category_id": 3, "segmentation": [[1, 1, 9, 1, 9, 9]], "iscrowd": 0},
            {
                "id": 3,
                "image_id": "0",
                "category_id": 3,
                "bbox": [0, 0, 9, 9],
                "segmentation": {"counts": [0, 9], "size": [24, 32]},
                "iscrowd": 1,
                "keypoints": [1, 2, 2],
            },
        ],
        "categories": [{"id": 3, "name": "a", "supercategory": "b"}, {"id": 4, "name": "c", "keypoints": ["k"]}],
    }
).encode()
VOC = (
    b'<?xml version="1.0" encoding="iso-8859-1"?><annotation><filename>0.jpg</filename><size><width>32</width>'
    b"<height>24</height><depth>3</depth></size><object><name>\xe4 &amp; b</name><difficult>1</difficult><pose/>"
    b"<bndbox><xmin>1.5</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>",
    b"<!DOCTYPE annotation [<!ENTITY a 'b'>]><annotation><object><name>&a;</name><polygon><x1>1</x1><y1>1</y1><x2>9"
    b"</x2><y2>9</y2></polygon></object></annotation>",
)
CVAT = (
    b"<annotations><meta><job><subset>train</subset><labels><label><name>a</name></label></labels></job></meta>"
    b'<image id="0" name="0.jpg" subset="train" width="32" height="24"><polygon label="a" points="1,1;9,1;9,9"/>'
    b'<box label="b" xtl="1" ytl="1" xbr="9" ybr="9" rotation="30"><attribute name="x">1</attribute></box>'
    b'<ellipse label="a" cx="9" cy="9" rx="3" ry="2"/>'
    b'<mask label="a" rle="0, 9" left="1" top="1" width="3" height="3"/></image>'
    b"</annotations>",
)


def label_studio() -> bytes:
    """Return an export of Label Studio with rectangles and polygons, and with a task in the short form."""
    value = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 30, "rectanglelabels": ["a", "b"]}
    region = {"id": "r", "type": "rectanglelabels", "original_width": 32, "original_height": 24, "value": value}
    polygon = {**region, "type": "polygonlabels", "value": {"points": [[1, 1], [9, 9], [1, 9]], "polygonlabels": ["a"]}}
    task = {"id": 1, "data": {"image": "/data/local-files/?d=0.jpg"}, "predictions": []}
    done = [{"result": [region, polygon], "was_cancelled": False, "completed_by": {"id": 1}}]
    small = {"id": 2, "image": "http://h/upload/1-1.jpg", "label": [{**value, "original_width": 32}]}
    return json.dumps([{**task, "annotations": done}, small]).encode()
