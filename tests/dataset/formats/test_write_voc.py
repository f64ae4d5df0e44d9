"""Writing VOC subsets: XML bytes, lists, and images that two splits share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detreduce.dataset import load_dataset
from detreduce.dataset.write import write_subset
from detreduce.errors import InputError

XML = (
    "<annotation>\n\t<filename>{name}.jpg</filename><size><width>40</width><height>20</height><depth>3</depth></size>\n"
    "<object><name>{cls}</name><difficult>1</difficult><bndbox><xmin>4</xmin><ymin>5</ymin><xmax>14</xmax>"
    "<ymax>10</ymax></bndbox></object></annotation>"
)


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    root = tmp_path / "VOC"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main", "ImageSets/Segmentation", "SegmentationClass"):
        (root / folder).mkdir(parents=True)
    for number in range(6):
        (root / f"JPEGImages/{number}.jpg").write_bytes(b"\xff\xd8 %d \xff\xd9" % number)
        (root / f"Annotations/{number}.xml").write_text(XML.format(name=number, cls=("cat", "dog")[number % 2]))
    (root / "SegmentationClass/0.png").write_bytes(b"mask")
    lists = {
        "Main/train": "0\n1\n2 \r\n3",
        # image 3 is in train and val
        "Main/val": "3\n4\n",
        "Main/test": "5\n",
        "Main/trainval": "0\n1\n2\n3\n4\n",
        "Main/cat_train": "0  1\n1 -1\n2  1\n3 -1\n",
        "Main/cat_trainval": "0  1\n1 -1\n2  1\n3 -1\n4  1\n",
        "Segmentation/train": "0\n2\n",
    }
    for name, text in lists.items():
        (root / f"ImageSets/{name}.txt").write_bytes(text.encode())
    return root


def files(folder: Path) -> dict[str, bytes]:
    extra = {"data.yaml", "selection.json", ".detreduce-files"}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in extra
    }


def test_everything_kept_gives_the_same_files(voc: Path, tmp_path: Path) -> None:
    dataset = load_dataset(voc)
    write_subset(dataset, dataset.image_ids, tmp_path / "out")
    assert files(tmp_path / "out") == files(voc)


def test_lists_lose_the_removed_lines_and_no_more(voc: Path, tmp_path: Path) -> None:
    dataset = load_dataset(voc)
    reduced = write_subset(dataset, ["JPEGImages/2.jpg"], tmp_path / "out")
    lists = {name: text for name, text in files(tmp_path / "out").items() if name.startswith("ImageSets")}
    assert lists == {
        "ImageSets/Main/train.txt": b"2 \r\n",
        "ImageSets/Main/val.txt": b"3\n4\n",
        "ImageSets/Main/test.txt": b"5\n",
        "ImageSets/Main/trainval.txt": b"2\n3\n4\n",
        "ImageSets/Main/cat_train.txt": b"2  1\n",
        "ImageSets/Main/cat_trainval.txt": b"2  1\n3 -1\n4  1\n",
        "ImageSets/Segmentation/train.txt": b"2\n",
    }
    images = {path.name for path in (tmp_path / "out/JPEGImages").iterdir()}
    assert images == {"2.jpg", "3.jpg", "4.jpg", "5.jpg"}
    assert {path.stem for path in (tmp_path / "out/Annotations").iterdir()} == {"2", "3", "4", "5"}
    assert reduced.image_ids == ["JPEGImages/2.jpg"]


def test_without_lists_the_kept_files_are_the_dataset(voc: Path, tmp_path: Path) -> None:
    import shutil

    shutil.rmtree(voc / "ImageSets")
    dataset = load_dataset(voc)
    reduced = write_subset(dataset, dataset.image_ids[:2], tmp_path / "out", link="symlink")
    assert reduced.image_ids == dataset.image_ids[:2]
    assert {path.name for path in (tmp_path / "out/JPEGImages").iterdir()} == {"0.jpg", "1.jpg"}


def test_lists_alone_are_refused(voc: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="link='list' cannot be used for a VOC folder"):
        write_subset(load_dataset(voc), ["JPEGImages/2.jpg"], tmp_path / "out", link="list")
    assert not (tmp_path / "out").exists()


def test_lists_with_names_that_are_not_utf8(voc: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    (voc / f"JPEGImages/{odd}.jpg").write_bytes(b"\xff\xd8 odd \xff\xd9")
    (voc / f"Annotations/{odd}.xml").write_text(XML.format(name="x", cls="cat"))
    (voc / "ImageSets/Main/train.txt").write_bytes(b"0\ncaf\xe9\n1\n")
    dataset = load_dataset(voc)
    assert f"JPEGImages/{odd}.jpg" in dataset.image_ids
    reduced = write_subset(dataset, [f"JPEGImages/{odd}.jpg"], tmp_path / "out")
    assert (tmp_path / "out/ImageSets/Main/train.txt").read_bytes() == b"caf\xe9\n"
    assert load_dataset(tmp_path / "out").image_ids == reduced.image_ids


@pytest.mark.shared
def test_real_voc_dataset(shared: Path, tmp_path: Path) -> None:
    root = shared / "data/bccd/BCCD"
    dataset = load_dataset(root)
    write_subset(dataset, dataset.image_ids, tmp_path / "full", link="symlink")
    assert files(tmp_path / "full") == files(root)
    reduced = write_subset(dataset, dataset.image_ids[::4], tmp_path / "quarter", link="symlink")
    assert reduced.image_ids == dataset.image_ids[::4]
    for split in ("val", "test"):
        assert load_dataset(tmp_path / "quarter", split=split).image_ids == load_dataset(root, split=split).image_ids
    trainval = load_dataset(tmp_path / "quarter", split="trainval")
    assert len(trainval) == len(reduced) + len(load_dataset(root, split="val"))
