from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from detreduce.dataset import load_dataset
from detreduce.dataset.health.statistics import class_counts
from detreduce.dataset.write import subset_report
from detreduce.pages.class_colours import MOST, looks_of, name_classes_apart
from detreduce.pages.image_labels import image_labels
from detreduce.pages.pictures import Album
from detreduce.selection.choose import select
from detreduce.selection.explanation import explain
from detreduce.selection.row_categories import categories_of_rows


def test_the_commonest_classes_have_a_look_each() -> None:
    found = looks_of(["rare", "common", "never"], [1, 9, 0])
    assert found.of_class == ("c1 l0", "c0 l0", "c2 l0")
    assert [(look.css, look.names, look.more) for look in found.legend] == [
        ("c0 l0", ("common",), 0),
        ("c1 l0", ("rare",), 0),
        ("c2 l0", ("never",), 0),
    ]


def test_of_more_classes_than_looks_the_rarest_share_one() -> None:
    full = looks_of([f"c{number}" for number in range(MOST)], range(MOST))
    assert len(set(full.of_class)) == len(full.legend) == MOST and not any(look.more for look in full.legend)
    more = looks_of([f"c{number}" for number in range(80)], range(80))
    assert len(more.legend) == MOST == len(set(more.of_class)) and more.legend[-1].more == 80 - (MOST - 1)
    assert more.of_class[0] == more.of_class[62] == more.legend[-1].css != more.of_class[63]
    assert more.legend[0].names == ("c79",)


def test_without_classes_there_is_no_legend() -> None:
    assert looks_of([], []).legend == ()


def test_classes_of_one_name_are_told_apart_by_their_keys(tmp_path: Path) -> None:
    box = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0}
    categories = [{"id": key, "name": name} for key, name in ((3, "chair"), (7, "chair"), (9, "bed"))]
    images = [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}]
    (tmp_path / "a.jpg").touch()
    file = tmp_path / "coco.json"
    file.write_text(json.dumps({"images": images, "annotations": [box], "categories": categories}))
    found = name_classes_apart(load_dataset(file))
    assert found.class_names == ("chair (key 3)", "chair (key 7)", "bed")
    assert next((one.name, one.boxes["train"]) for one in class_counts({"train": found})) == ("chair (key 7)", 1)
    assert name_classes_apart(found) is found
    dataset = load_dataset(file)
    labels = image_labels(None, dataset, looks_of(dataset.class_labels, [0, 1, 0]))
    assert labels.names == ("chair (key 3)", "chair (key 7)", "bed") and labels.codes.tolist() == [1]
    every = categories_of_rows(dataset, np.arange(1), "dominant")
    assert every.names == ("chair (key 7)",), "a class has one name everywhere"
    album = Album(dataset, capacity=0)
    album.add([0])
    assert album.pictures[0].classes == (("chair (key 7)", 1),)
    report = subset_report(dataset, [1])
    assert [row.name for row in report.classes] == ["chair (key 3)", "chair (key 7)", "bed"]
    assert explain(select(dataset, "first", 1), 1, dataset=dataset).classes == {"chair (key 7)": 1}


def test_a_category_has_the_look_of_its_class_also_if_the_name_is_not_its_own(tmp_path: Path) -> None:
    for row, kind in enumerate((0, 1, 1)):
        for folder, text in (("images", ""), ("labels", f"{kind} 0.5 0.5 0.2 0.2\n")):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{row}.{'txt' if text else 'jpg'}").write_text(text)
    (tmp_path / "data.yaml").write_text("train: images\nnames: [cat, cat]\n")
    dataset = load_dataset(tmp_path / "data.yaml")
    looks = looks_of(dataset.class_labels, dataset.class_counts.sum(axis=0))
    labels = image_labels(select(dataset, "srs", 2), dataset, looks)
    assert labels.what == "category" and [labels.looks[code] for code in labels.codes] == [
        looks.of_class[kind] for kind in (0, 1, 1)
    ]
