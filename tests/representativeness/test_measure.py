from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import detreduce as dr
from detreduce.dataset.records import DetectionDataset, ImageRecord, Source
from detreduce.errors import InputError
from detreduce.features.table import FeatureTable
from detreduce.representativeness import class_divergence, epsilon


def make_table(n: int = 60, *, labelled: bool = True) -> FeatureTable:
    rng = np.random.default_rng(0)
    records = tuple(
        ImageRecord(
            id=f"{row:02}.jpg",
            name=f"{row:02}.jpg",
            path=Path(f"/data/{row:02}.jpg"),
            boxes=np.column_stack([np.full((2, 2), 0.5), rng.uniform(0.05, 0.9, (2, 2))])
            if labelled
            else np.empty((0, 4)),
            class_ids=np.array([row % 3, 0]) if labelled else np.empty(0, np.int64),
            crowd=np.zeros(2 if labelled else 0, bool),
        )
        for row in range(n)
    )
    dataset = DetectionDataset(
        records,
        ("a", "b", "c"),
        (0, 1, 2),
        "cxcywhn",
        "train",
        Source("yolo", Path("/d.yaml"), Path("/")),
        (),
        labelled,
    )
    return FeatureTable(dataset, np.arange(n), {"image": rng.normal(size=(n, 5)).astype(np.float32)})


def test_everything_of_a_table() -> None:
    table = make_table()
    selection = dr.select(table, "mms", 12)
    found = dr.measure_representativeness(table, selection)
    counts = table.dataset.class_counts
    y = [row.name for row in found.categories]
    assert y == list(selection.categories["full"]) and sum(row.kept for row in found.categories) == 12
    assert found.class_divergence is not None and found.epsilon is not None
    assert found.class_divergence.value == pytest.approx(class_divergence(counts, selection.indices))
    assert found.epsilon.value == max(row.epsilon or 0.0 for row in found.categories)
    assert found.lost == () and not found.absent
    assert json.loads(json.dumps(found.to_dict()))["coverage"]["neighbours"] == 5
    none = dr.measure_representativeness(table, selection, None)
    assert none.epsilon is not None and none.epsilon.value == epsilon(table.X, None, selection.indices)


def test_a_lost_category_is_named() -> None:
    table = make_table()
    found = dr.measure_representativeness(table, [table.dataset[0].id, table.dataset[3].id])
    assert found.lost and found.epsilon is not None and found.epsilon.value == np.inf
    assert found.to_dict()["epsilon"]["value"] == "inf"


def test_what_cannot_be_measured_is_said_and_not_made_up() -> None:
    bare = dr.measure_representativeness(make_table().dataset, ["00.jpg", "01.jpg"])
    assert bare.epsilon is bare.coverage is bare.discrepancy is None and bare.class_divergence is not None
    assert "no features" in bare.absent["epsilon"]
    unlabelled = make_table(labelled=False)
    found = dr.measure_representativeness(unlabelled, ["00.jpg", "01.jpg"], None)
    assert found.class_divergence is None and "not labelled" in found.absent["class_divergence"]
    assert found.epsilon is not None


def test_unknown_sizes_are_left_out() -> None:
    table = make_table()
    # boxes in pixels of images whose files are missing, so that no file gives the size
    pixels = replace(table.dataset, box_format="xyxy")
    found = dr.measure_representativeness(pixels, ["00.jpg"])
    assert found.unknown_sizes == 120 and found.size_divergence is None and "size" in found.absent["size_divergence"]


def test_images_without_features_are_not_among_all() -> None:
    table = make_table()
    rows = np.arange(0, 60, 2)
    some = FeatureTable(table.dataset, rows, {"image": table.blocks["image"][rows]})
    found = dr.measure_representativeness(some, ["02.jpg", "10.jpg"], None)
    assert found.images == 30 and found.epsilon is not None and found.class_divergence is not None
    assert found.epsilon.value == epsilon(some.X, None, [1, 5])
    assert found.class_divergence.value == class_divergence(table.dataset.class_counts[rows], [1, 5])
    with pytest.raises(InputError, match=r"1 of the 2 kept images have no features.*'03.jpg'"):
        dr.measure_representativeness(some, ["02.jpg", "03.jpg"], None)


def test_refusals() -> None:
    table = make_table()
    with pytest.raises(InputError, match="not ndarray"):
        dr.measure_representativeness(table.X, ["00.jpg"])
    with pytest.raises(InputError, match="neighbours=0"):
        dr.measure_representativeness(table, ["00.jpg"], neighbours=0)
    with pytest.raises(InputError, match=r"Did you mean '00.jpg'"):
        dr.measure_representativeness(table, ["00.jpeg"])
    with pytest.raises(InputError, match="selection is empty"):
        dr.measure_representativeness(table, [])


def test_a_selection_keeps_it(tmp_path: Path) -> None:
    table = make_table()
    selection = dr.select(table, "mms", 12)
    found = dr.measure_representativeness(table, selection).to_dict()
    file = replace(selection, representativeness=found).save(tmp_path / "s.json")
    assert dr.Selection.load(file).representativeness == json.loads(json.dumps(found))
    content = json.loads(file.read_text())
    del content["representativeness"]
    file.write_text(json.dumps(content))
    assert dr.Selection.load(file).representativeness == {}
