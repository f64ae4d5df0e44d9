"""Which images choose among recipes: val, or a part of train; never test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from detreduce.dataset import load_dataset
from detreduce.errors import InputError
from detreduce.experiment.tuning.judge import find_judge


def contents(data: str | Path, split: str) -> set[bytes]:
    return {record.path.read_bytes() for record in load_dataset(data, split=split)}


def test_val_chooses_and_test_measures(splits: Callable[..., Path]) -> None:
    data = splits(train=10, val=3, test=4)
    judge = find_judge(load_dataset(data), 0)
    assert (judge.data, judge.held_out, judge.confirm) == (str(data), 0, "test")
    assert (judge.words, judge.confirm_words) == ("val", "test")
    assert find_judge(load_dataset(splits(train=10, val=3)), 0).confirm_words == "val"


def test_splits_without_boxes_neither_choose_nor_measure(splits: Callable[..., Path]) -> None:
    data = splits(train=10, val=3, test=4)
    for label in (data.parent / "test" / "labels").iterdir():
        label.write_text("")
    assert find_judge(load_dataset(data), 0).confirm == "val"
    for label in (data.parent / "val" / "labels").iterdir():
        label.write_text("")
    with pytest.raises(InputError, match="val cannot choose"):
        find_judge(load_dataset(data), 0)


def test_without_val_a_fifth_of_train_is_held_out(splits: Callable[..., Path]) -> None:
    data = splits(train=10, test=4)
    judge = find_judge(load_dataset(data), 0)
    train, val = contents(judge.data, "train"), contents(judge.data, "val")
    assert (len(train), len(val), judge.held_out) == (8, 2, 2)
    assert train | val == contents(data, "train") and not train & val
    assert contents(judge.data, "test") == contents(data, "test")
    assert load_dataset(judge.data, split="val").labelled
    # the second call finds the same dataset
    assert find_judge(load_dataset(data), 0) == judge


def test_other_formats_hold_out_too(splits: Callable[..., Path], tmp_path: Path) -> None:
    whole = load_dataset(splits(train=10, test=4))
    folder = tmp_path / "coco"
    images = [{"id": row, "file_name": record.path.name, "width": 32, "height": 32} for row, record in enumerate(whole)]
    boxes = [
        {"id": row, "image_id": row, "category_id": row % 2 + 1, "bbox": [8, 8, 16, 16], "area": 256, "iscrowd": 0}
        for row in range(10)
    ]
    folder.mkdir()
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}
    (folder / "train.json").write_text(json.dumps(content))
    for record in whole:
        (folder / record.path.name).write_bytes(record.path.read_bytes())
    judge = find_judge(load_dataset(folder / "train.json"), 0)
    assert len(load_dataset(judge.data, split="val")) == 2
    assert load_dataset(judge.data, split="train").class_names == ("a", "b")
    assert judge.confirm == "val"


def test_too_few_images_to_hold_some_out(splits: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="no val split"):
        find_judge(load_dataset(splits(train=4, test=1)), 0)
