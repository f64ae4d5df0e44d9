from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.errors import InputError, MissingFileError
from detreduce.features.extract import extract_features
from detreduce.selection.choose import select
from detreduce.training.streams.clusters import cluster_sizes
from detreduce.training.streams.resolve import core_order, image_weights
from detreduce.training.streams.stream import Stream
from detreduce.training.streams.weights import class_uniform


def test_weights_by_class_count_images_with_the_class(tiny: Path) -> None:
    # one background image, and 23 with both classes: p = 1/24 and (1/2)(1/23 + 1/23) = 1/23; the sum is 25/24
    weights = image_weights(load_dataset(tiny), Stream(by="class_uniform"))
    np.testing.assert_allclose(weights, np.r_[1 / 24, np.full(23, 1 / 23)] / (25 / 24))


def test_weights_by_cluster_find_copies(tiny: Path, tmp_path: Path) -> None:
    folder = tiny.parent / "train"
    for copy in ("005a", "005b"):
        shutil.copyfile(folder / "images/005.jpg", folder / f"images/{copy}.jpg")
        shutil.copyfile(folder / "labels/005.txt", folder / f"labels/{copy}.txt")
    dataset = load_dataset(tiny)
    sizes, _ = cluster_sizes(dataset, 0.99, tmp_path / "cache")
    assert {record.name: size for record, size in zip(dataset, sizes, strict=True) if size > 1} == {
        "005.jpg": 3,
        "005a.jpg": 3,
        "005b.jpg": 3,
    }
    stream = Stream(by="cluster_balanced", threshold=0.99)
    weights = image_weights(dataset, stream, tmp_path / "cache")
    np.testing.assert_allclose(weights, (1 / sizes) / 24)
    both = image_weights(dataset, stream.model_copy(update={"times_classes": True}), tmp_path / "cache")
    product = weights * class_uniform(dataset.box_rows, dataset.box_classes, len(dataset))
    np.testing.assert_allclose(both, product / product.sum())


def test_the_core_comes_in_the_order_of_herding_and_the_unreadable_last(tiny: Path, tmp_path: Path) -> None:
    (tiny.parent / "train/images/004.jpg").write_bytes(b"no image")
    dataset = load_dataset(tiny)
    with pytest.warns(UserWarning, match="004"):
        order, _ = core_order(dataset, tmp_path / "cache")
    with pytest.warns(UserWarning, match="004"):
        table = extract_features(dataset, blocks=("objects",), cache=tmp_path / "cache")
    chosen = select(table, "herding", keep=6, categories=None)
    assert order[:6].tolist() == [dataset.row_of[image] for image in chosen.image_ids]
    assert sorted(order.tolist()) == list(range(24))
    # the background image has no objects
    assert [dataset[row].name for row in order[-2:].tolist()] == ["000.jpg", "004.jpg"]


def test_what_needs_labels_says_so(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images/a.png")
    dataset = load_dataset(tmp_path / "images")
    for stream in (Stream(by="class_uniform"), Stream(by="cluster_balanced", times_classes=True)):
        with pytest.raises(InputError, match="needs labels"):
            image_weights(dataset, stream, tmp_path / "cache")
    with pytest.raises(InputError, match="needs labels"):
        core_order(dataset)
    assert image_weights(dataset, Stream()).tolist() == [1.0]


def test_a_missing_table_and_an_order_are_no_weights(tiny: Path) -> None:
    dataset = load_dataset(tiny)
    with pytest.raises(MissingFileError, match="table of weights"):
        image_weights(dataset, Stream(by="weights", file="none.csv"))
    with pytest.raises(InputError, match="core_first has an order"):
        image_weights(dataset, Stream(by="core_first"))
