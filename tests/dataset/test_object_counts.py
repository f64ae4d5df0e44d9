"""The table of objects from the labels alone."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detreduce.dataset import load_dataset
from detreduce.dataset.box_sizes import LARGE_SHARE, SIZES, SMALL_SHARE
from detreduce.dataset.object_counts import label_objects
from detreduce.dataset.records import BoxFormat, DetectionDataset, ImageRecord, Source


def dataset(
    boxes: list[list[tuple[float, ...]]],
    classes: list[list[int]],
    box_format: BoxFormat = "cxcywhn",
    size: tuple[int | None, int | None] = (None, None),
    crowd: bool = False,
) -> DetectionDataset:
    records = tuple(
        ImageRecord(
            str(row),
            f"{row}.jpg",
            Path(f"/nowhere/{row}.jpg"),
            np.array(mine, np.float64).reshape(-1, 4),
            np.array(kinds, np.int64),
            np.full(len(mine), crowd),
            *size,
        )
        for row, (mine, kinds) in enumerate(zip(boxes, classes, strict=True))
    )
    source = Source("coco", Path("/nowhere"), Path("/nowhere"))
    return DetectionDataset(records, ("a", "b", "c"), (0, 1, 2), box_format, "train", source)


def test_counts_and_sizes_by_hand() -> None:
    side = np.sqrt(SMALL_SHARE), np.sqrt(LARGE_SHARE)
    boxes = [
        [(0.5, 0.5, side[0] - 1e-9, side[0]), (0.5, 0.5, side[0] + 1e-9, side[0]), (0.5, 0.5, side[1] + 1e-9, side[1])],
        [],
        [(0.5, 0.5, 0.0, 0.3), (0.5, 0.5, side[1] - 1e-9, side[1]), (1.0, 0.5, 0.1, 0.5)],
    ]
    table = label_objects(dataset(boxes, [[2, 2, 0], [], [1, 1, 1]]))
    assert (table.images.tolist(), table.classes.tolist(), table.counts.tolist()) == ([0, 0, 2], [0, 2, 1], [1, 2, 3])
    assert table.size_counts is not None and table.vectors is None
    # half of the last box lies outside: 0.05 x 0.5 is medium
    assert table.size_counts.tolist() == [[0, 0, 1, 0], [1, 1, 0, 0], [1, 2, 0, 0]]
    assert SIZES == ("small", "medium", "large", "unknown")
    assert pytest.approx(1 / 300) == SMALL_SHARE and pytest.approx(3 / 100) == LARGE_SHARE


@pytest.mark.parametrize("box_format", ["xywh", "xyxy"])
def test_pixels_of_a_known_and_of_an_unknown_size(box_format: BoxFormat) -> None:
    second = (31.0, 32.0) if box_format == "xywh" else (41.0, 42.0)
    boxes = [[(10.0, 10.0, *second)]]
    known = label_objects(dataset(boxes, [[0]], box_format, (640, 480)))
    assert known.size_counts is not None and known.size_counts.tolist() == [[1, 0, 0, 0]]
    with patch("detreduce.dataset.records.read_image_size", side_effect=AssertionError("an image was opened")):
        unknown = label_objects(dataset(boxes, [[0]], box_format))
    assert unknown.size_counts is not None and unknown.size_counts.tolist() == [[0, 0, 0, 1]]


def test_crowds_are_no_boxes_and_there_may_be_none() -> None:
    assert label_objects(dataset([[(0.5, 0.5, 0.1, 0.1)]], [[0]], crowd=True)).counts.tolist() == []
    assert len(label_objects(dataset([], []))) == 0


@given(st.lists(st.lists(st.integers(0, 2), max_size=5), min_size=1, max_size=6))
def test_agrees_with_class_counts(classes: list[list[int]]) -> None:
    data = dataset([[(0.5, 0.5, 0.1 * (1 + kind), 0.2) for kind in kinds] for kinds in classes], classes)
    table = label_objects(data)
    dense = np.zeros((len(data), 3), np.int64)
    dense[table.images, table.classes] = table.counts
    np.testing.assert_array_equal(dense, data.class_counts)
    assert table.size_counts is not None
    np.testing.assert_array_equal(table.size_counts.sum(axis=1), table.counts)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["aquarium/data.yaml", "bccd"])
def test_real_labels(shared: Path, name: str) -> None:
    """Both sets have boxes without area."""
    data = load_dataset(shared / "data" / name, split="train")
    table = label_objects(data)
    assert table.size_counts is not None and table.size_counts[:, 3].sum() == 0
    assert table.counts.sum() == data.class_counts.sum() == table.size_counts.sum()
