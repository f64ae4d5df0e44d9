from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import photographs, yolo_of

from detreduce.dataset import load_dataset
from detreduce.duplicates import leakage_report, leaked_images
from detreduce.duplicates.pixels.matching import Candidates
from detreduce.errors import DetreduceWarning, InputError


def test_images_of_val_and_test_that_are_in_train_are_named(tmp_path: Path) -> None:
    one, two, three, four, *_ = photographs()
    data = yolo_of(
        tmp_path,
        {},
        train={"a": one, "b": two},
        val={"c": one, "d": three},
        test={"e": np.rot90(two), "f": three[:, ::-1], "g": four},
    )
    report = leakage_report(load_dataset(data))
    assert dict(report.splits) == {"train": 2, "val": 2, "test": 3}
    found = {(i.split, Path(i.image).stem, i.other_split, Path(i.other).stem, i.exact) for i in report.leaked}
    assert found == {
        ("val", "c", "train", "a", True),
        ("test", "e", "train", "b", False),
        ("test", "f", "val", "d", False),
    }
    assert report.counts == {
        ("train", "val"): {"exact": 1, "near": 0, "of": 2},
        ("train", "test"): {"exact": 0, "near": 1, "of": 3},
        ("val", "test"): {"exact": 0, "near": 1, "of": 3},
    }
    [turned] = [item for item in report.leaked if item.split == "test" and item.other_split == "train"]
    assert turned.transformation == "turned by 90 degrees counter-clockwise"
    assert json.loads(json.dumps(report.to_dict()))["counts"]["train / val"]["exact"] == 1


def test_whichever_split_is_given_the_report_is_the_same(tmp_path: Path) -> None:
    one, two, *_ = photographs()
    data = yolo_of(tmp_path, {}, train={"a": one}, val={"b": one, "c": two})
    assert leakage_report(load_dataset(data, "val")).leaked == leakage_report(load_dataset(data)).leaked != ()


def test_by_boxes_an_object_that_leaks_is_found_on_another_background(tmp_path: Path) -> None:
    one, two, *_, thing = photographs()
    images = []
    for background in (one, two):
        image = background.copy()
        image[50:170, 50:170] = thing[:120, :120]
        images.append(image)
    data = yolo_of(tmp_path, {}, train={"a": images[0]}, val={"b": images[1]})
    for split, name in (("train", "a"), ("val", "b")):
        (tmp_path / split / "labels" / f"{name}.txt").write_text("0 0.5164 0.5164 0.5634 0.5634\n")
    assert len(leakage_report(load_dataset(data), by="boxes").leaked) == 1
    assert leakage_report(load_dataset(data)).leaked == ()
    with pytest.raises(InputError, match="Did you mean 'boxes'"):
        leakage_report(load_dataset(data), by="boxs")  # type: ignore[arg-type]


def test_one_split_alone_leaks_nothing(tmp_path: Path) -> None:
    one, *_ = photographs()
    report = leakage_report(load_dataset(yolo_of(tmp_path, {}, train={"a": one, "b": one})))
    assert (report.leaked, report.counts) == ((), {})


@pytest.mark.parametrize(("other", "equal"), [(b"no image", True), (b"no  mage", False), (b"", False)])
def test_unreadable_images_are_each_other_if_their_bytes_are(tmp_path: Path, other: bytes, equal: bool) -> None:
    one, two, *_ = photographs()
    data = yolo_of(tmp_path, {}, train={"a": one, "x": two, "e": two}, val={"y": two, "z": one})
    for file, content in (
        ("train/images/x.png", b"no image"),
        ("val/images/y.png", other),
        ("train/images/e.png", b""),
    ):
        (tmp_path / file).write_bytes(content)
    found = {("val/images/z.png", "train/images/a.png"), *[("val/images/y.png", "train/images/x.png")] * equal}
    report = leakage_report(load_dataset(data))
    assert {(item.image, item.other) for item in report.leaked} == found
    assert [problem.file.name for problem in report.problems] == ["e.png", "x.png", "y.png"]
    with pytest.warns(DetreduceWarning, match="cannot be decoded"):
        dropped = leaked_images(load_dataset(data))
    assert {(item.other, item.image) for item in dropped.leaked} == found


def test_the_threshold_is_checked_first(tmp_path: Path) -> None:
    data = yolo_of(tmp_path, {}, train={"a": photographs()[0]})
    with pytest.raises(InputError, match="threshold=3"):
        leakage_report(load_dataset(data), threshold=3)


@pytest.mark.shared
def test_what_is_known_of_the_highway_set(shared: Path) -> None:
    """Ten groups of identical images, nine of them across splits; eleven groups of near-duplicates."""
    report = leakage_report(load_dataset(shared / "data" / "highway5"))
    assert sum(count["exact"] for count in report.counts.values()) == 9
    assert 10 <= sum(count["near"] for count in report.counts.values()) <= 13
    same_file = [Path(str(item.image)).name.split("_jpg.rf")[0] for item in report.leaked if item.exact]
    assert len(same_file) == 9


class _OneSided:
    """A comparison in which the similarity of two pictures depends on which picture is the query."""

    seed = 0

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.comparable = pixels, np.ones(len(pixels), bool)

    def search(self, queries: np.ndarray, against: np.ndarray, pool: object) -> list[Candidates]:
        return [Candidates(against, np.zeros(len(against), np.int64)) for _ in queries]

    def confirm(self, query: int, place: int, orientation: int) -> float:
        key = self.pixels[query].tobytes() + self.pixels[place].tobytes() + bytes([self.seed])
        return zlib.crc32(key) / 2**32


@pytest.mark.parametrize("seed", range(8))
def test_no_search_finds_a_leak_among_the_images_that_remain(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    count = {"train": 12, "val": 4, "test": 2}
    splits = {
        name: {f"{name}{row}": rng.integers(0, 256, (8, 8, 3), np.uint8) for row in range(size)}
        for name, size in count.items()
    }
    dataset = load_dataset(yolo_of(tmp_path, {}, **splits))
    monkeypatch.setattr(_OneSided, "seed", seed)
    monkeypatch.setattr("detreduce.duplicates.split_search.PixelComparison", _OneSided)
    found = leaked_images(dataset, threshold=0.93)
    leaked = {item.image for item in found.leaked}
    assert leaked and {item.split for item in found.leaked} == {"train"}
    rest = replace(dataset, records=tuple(record for record in dataset if record.id not in leaked))
    assert not leaked_images(rest, threshold=0.93).leaked
    assert [item for item in leakage_report(rest, threshold=0.93).leaked if item.other_split == "train"] == []
