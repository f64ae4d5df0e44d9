"""The five real datasets, compared with their published counts."""

from __future__ import annotations

import numpy as np
import pytest

from detreduce.dataset import load_dataset
from detreduce.dataset.health.counts import check_images, summarise

IMAGES = {"aquarium": (448, 127, 63), "bccd": (205, 87, 72), "wheelchair": (495, 73, 30), "highway5": (1704, 487, 251)}
AQUARIUM = {
    "fish": 2669,
    "jellyfish": 694,
    "penguin": 516,
    "shark": 354,
    "puffin": 284,
    "stingray": 184,
    "starfish": 116,
}
BOXES = {
    "aquarium": AQUARIUM,
    "bccd": {"RBC": 4155, "WBC": 372, "Platelets": 361},
    "wheelchair": {"wheelchair": 626},
    "highway5": {"person": 1269, "car": 1206, "truck": 972, "motorbike": 940, "bus": 863},
}


@pytest.mark.parametrize("name", BOXES)
def test_counts(shared, name):
    parts = [load_dataset(shared / "data" / name, split) for split in ("train", "val", "test")]
    assert tuple(map(len, parts)) == IMAGES[name]
    assert len({part.class_keys for part in parts}) == 1
    found: dict[str, int] = {}
    for part in parts:
        for label, count in zip(part.class_names, part.class_counts.sum(axis=0), strict=True):
            found[label] = found.get(label, 0) + int(count)
    assert found == BOXES[name]
    assert summarise(parts[1]).splits == summarise(parts[0]).splits
    for part in parts:
        boxes = part.boxes_xyxyn
        assert np.isfinite(boxes).all()
        assert boxes.min() >= -2e-3
        assert boxes.max() <= 1 + 2e-3


def kinds(shared, name, split):
    return [problem.what for problem in load_dataset(shared / "data" / name, split).problems]


def test_known_dirt(shared):
    aquarium = [what for split in ("train", "val", "test") for what in kinds(shared, "aquarium", split)]
    assert [what.split(" (")[0] for what in aquarium] == ["zero-area box"] * 2
    bccd = [what for split in ("train", "val", "test") for what in kinds(shared, "bccd", split)]
    assert len(bccd) == 2
    assert all("zero-area box" in what for what in bccd)
    highway = kinds(shared, "highway5", "train")
    assert len(highway) == 3
    assert "'Highway-Object-Detection-40/train/images' does not exist; used" in highway[0]
    assert summarise(load_dataset(shared / "data/highway5")).background == 29


def test_wheelchair_categories_of_one_name_stay_apart(shared):
    dataset = load_dataset(shared / "data/wheelchair")
    assert (dataset.class_names, dataset.class_keys) == (("wheelchair", "wheelchair"), (0, 1))
    assert dataset.class_counts.sum(axis=0).tolist() == [0, 515]


@pytest.mark.parametrize("split", ["train", "val"])
def test_coco128_agrees_with_pycocotools(shared, split, capsys):
    from pycocotools.coco import COCO

    file = shared / f"data/coco128/annotations/instances_{split}2017.json"
    dataset = load_dataset(file, images=shared / "data/coco128/val2017")
    oracle = COCO(str(file))
    assert dataset.split == split
    assert list(dataset.class_keys) == sorted(oracle.getCatIds())
    assert sorted(dataset.image_ids) == sorted(oracle.getImgIds())
    for record in dataset:
        notes = oracle.loadAnns(oracle.getAnnIds(imgIds=[record.id]))
        np.testing.assert_array_equal(record.boxes, np.array([note["bbox"] for note in notes]).reshape(-1, 4))
        assert [dataset.class_keys[c] for c in record.class_ids] == [note["category_id"] for note in notes]
        assert record.crowd.tolist() == [bool(note["iscrowd"]) for note in notes]
    assert (int(dataset.class_counts.sum()), int(dataset.box_crowd.sum())) == (929, 10)
    assert int((dataset.class_counts.sum(axis=0) > 0).sum()) == 71
    assert dataset.problems == ()


def test_yolo_labels_agree_with_ultralytics(shared, tmp_path):
    """Detreduce and ultralytics read the same boxes from each label file, in the same order."""
    from ultralytics.data.utils import img2label_paths, verify_image_label

    dataset = load_dataset(shared / "data/aquarium", "test")
    for record in dataset:
        [label] = img2label_paths([str(record.path)])
        assert record.label_path is not None
        assert str(record.label_path) == label
        read = verify_image_label((str(record.path), label, "", False, 7, 0, 0, False))[1]
        # ultralytics sorts the rows of a file only if it removes repeated rows; here no row is repeated
        np.testing.assert_allclose(read[:, 1:], record.boxes, atol=1e-6)
        assert read[:, 0].tolist() == record.class_ids.tolist()


@pytest.mark.parametrize("name", ["aquarium", "bccd", "wheelchair", "coco128"])
def test_all_images_can_be_decoded(shared, name):
    assert check_images(load_dataset(shared / "data" / name)) == ()
