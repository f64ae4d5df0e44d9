"""Images that two splits share, found without decoding them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from made_videos import make_video

from detreduce.dataset import load_dataset
from detreduce.dataset.health.counts import load_all_splits
from detreduce.dataset.health.leaks import Leaks, find_leaks, refuse_leaks
from detreduce.errors import InputError


def dataset_with(root: Path, **splits: dict[str, bytes]) -> Path:
    """A YOLO dataset whose image files have the given bytes. Returns its data.yaml."""
    for split, files in splits.items():
        (root / split / "images").mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (root / split / "images" / name).write_bytes(content)
    data = root / "data.yaml"
    data.write_text("".join(f"{split}: {split}/images\n" for split in splits) + "names: [a]\n")
    return data


def leaks_of(data: Path) -> Leaks:
    return find_leaks(load_all_splits(load_dataset(data))[0])


def described(leaks: Leaks) -> list[str]:
    return [str(leak) for leak in leaks.pairs]


def test_each_kind_of_shared_image_is_found(tmp_path):
    data = dataset_with(
        tmp_path,
        train={"a.jpg": b"a" * 9000, "b.jpg": b"b" * 50, "c.jpg": b"c" * 70, "d.jpg": b"d" * 90},
        val={"b.jpg": b"b" * 50, "e.jpg": b"c" * 70, "f.jpg": b"f" * 90, "d.jpg": b"x" * 90},
        test={"c.jpg": b"y" * 71},
    )
    os.link(tmp_path / "train/images/a.jpg", tmp_path / "val/images/z.jpg")
    (tmp_path / "test/images/link.jpg").symlink_to(tmp_path / "train/images/d.jpg")
    found = leaks_of(data)
    assert described(found) == [
        "val b.jpg matches train b.jpg (same bytes)",
        "val e.jpg matches train c.jpg (same bytes)",
        "val z.jpg matches train a.jpg (same file)",
        "test link.jpg matches train d.jpg (same file)",
    ]
    assert [str(leak) for leak in found.alike] == ["val d.jpg matches train d.jpg (same name and size)"]
    assert found.counts == {("train", "val"): 3, ("train", "test"): 1, ("val", "test"): 0}
    assert found.sentences() == [
        "3 of the 5 images of val are also in train",
        "1 of the 2 images of test is also in train",
    ]
    assert json.loads(json.dumps(found.to_dict(1)))["counts"]["train / val"] == {"leaked": 3, "of": 5, "whole": False}


def test_bytes_are_compared_at_the_ends_of_files(tmp_path):
    one, other = (b"h" * 5000 + middle + b"t" * 5000 for middle in (b"1", b"2"))
    data = dataset_with(tmp_path, train={"a.jpg": one, "b.jpg": b"1" * 5000}, val={"b.jpg": b"1" * 4999 + b"2"})
    assert not leaks_of(data).pairs
    (tmp_path / "val/images/a.jpg").write_bytes(other)
    assert described(leaks_of(data)) == ["val a.jpg matches train a.jpg (same bytes)"]


@pytest.mark.parametrize("head", [b"BM", b"II*\0", b"MM\0*", b"P6\n"])
def test_without_compression_all_bytes_are_compared(tmp_path, head):
    one, other = (head + b"h" * 5000 + middle + b"t" * 5000 for middle in (b"1", b"2"))
    files = {"a.bmp": one, "b.bmp": other}
    data = dataset_with(tmp_path, train=files, val={"a.bmp": other, "c.bmp": other, "d.bmp": one[:-1] + b"x"})
    assert described(leaks_of(data)) == [
        "val a.bmp matches train b.bmp (same bytes)",
        "val c.bmp matches train b.bmp (same bytes)",
    ]


def test_many_files_of_equal_size_and_other_names_are_not_opened(tmp_path, monkeypatch):
    data = dataset_with(
        tmp_path, train={"a.jpg": b"a" * 50, "b.jpg": b"b" * 50}, val={"c.jpg": b"a" * 50, "b.jpg": b"b" * 50}
    )
    monkeypatch.setattr("detreduce.dataset.health.leaks.MOST_RENAMED", 1)
    assert described(leaks_of(data)) == ["val b.jpg matches train b.jpg (same bytes)"]


def test_missing_and_empty_files_are_no_leaks(tmp_path):
    data = dataset_with(tmp_path, train={"a.jpg": b"", "b.jpg": b"b"}, val={"a.jpg": b"", "b.jpg": b"b"})
    dataset = load_dataset(data)
    splits = load_all_splits(dataset)[0]
    (tmp_path / "val/images/b.jpg").unlink()
    assert not find_leaks(splits).pairs


def test_val_that_is_train_is_said_so(tmp_path):
    data = dataset_with(tmp_path, train={"a.jpg": b"a", "b.jpg": b"b"})
    data.write_text("train: train/images\nval: train/images\nnames: [a]\n")
    found = leaks_of(data)
    assert found.is_whole("train", "val")
    assert found.sentences() == ["val is the train split: all 2 images are the same"]
    with pytest.raises(InputError, match=r"Hold out a part of train \(`detreduce split .*`\), or train anyway"):
        refuse_leaks(load_dataset(data), found)


def test_only_leaks_from_train_are_refused(tmp_path):
    data = dataset_with(tmp_path, train={"a.jpg": b"a"}, val={"b.jpg": b"bb"}, test={"b.jpg": b"bb"})
    found = leaks_of(data)
    assert found.is_whole("val", "test")
    refuse_leaks(load_dataset(data), found)


def test_the_refusal_names_the_first_pairs_and_what_to_do(tmp_path):
    images = {f"{number}.jpg": bytes([number]) * 40 for number in range(5)}
    data = dataset_with(tmp_path, train={**images, "x.jpg": b"x"}, val=images)
    with pytest.raises(InputError) as error:
        refuse_leaks(load_dataset(data), leaks_of(data))
    lines = str(error.value).splitlines()
    assert lines[1] == "5 of the 5 images of val are also in train."
    assert lines[2] == "  val 0.jpg matches train 0.jpg (same bytes)"
    assert lines[5] == "  ... and 2 more"
    assert f"detreduce reduce {data} --keep all --drop-leaked" in lines[6]
    assert "--allow-leaks" in lines[6]


@pytest.mark.parametrize("how", ["copy", "renamed", "hard link", "symbolic link", "other"])
def test_a_video_in_two_splits_is_found(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # the number of frames does not count, but the number of videos
    monkeypatch.setattr("detreduce.dataset.health.leaks.MOST_RENAMED", 4)
    one = make_video(tmp_path / "train" / "a.mp4", 40)
    make_video(tmp_path / "train" / "b.mp4", 24)
    make_video(tmp_path / "val" / "c.mp4", 16, scenes=range(50, 66))
    two = tmp_path / "val" / ("a.mp4" if how == "copy" else "z.mp4")
    if how == "hard link":
        os.link(one, two)
    elif how == "symbolic link":
        two.symlink_to(one)
    else:
        content = bytearray(one.read_bytes())
        # equal size and equal ends
        content[len(content) // 2] ^= how == "other"
        two.write_bytes(content)
    (tmp_path / "data.yaml").write_text("format: videos\nevery: 8\ntrain: train\nval: val\n")
    leaks = leaks_of(tmp_path / "data.yaml")
    assert leaks.counts == {("train", "val"): 0 if how == "other" else 5}
    assert {leak.how for leak in leaks.pairs} == {"same file" if "link" in how else "same bytes"} or how == "other"
    assert all(leak.name.rpartition("_")[2] == leak.other_name.rpartition("_")[2] for leak in leaks.pairs)
