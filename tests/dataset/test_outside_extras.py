"""Other files of a dataset, such as masks and lists, bring no content from outside the dataset into an output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.write import write_subset
from detreduce.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore")
SECRET = "PRIVATE KEY\n"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/id").write_text(SECRET)
    return tmp_path / "home/id"


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def write_all(folder: Path, output: Path) -> dict[str, bytes]:
    """Write a whole dataset and a subset. Return path -> content of the subset."""
    dataset = load_dataset(folder)
    write_subset(dataset, dataset.image_ids, output / "all")
    write_subset(dataset, dataset.image_ids[:1], output / "part", link="copy")
    files = {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}
    assert not [name for name, content in files.items() if SECRET.strip().encode() in content]
    return files


def test_masks_and_lists_of_yolo(tmp_path: Path, secret: Path) -> None:
    root = tmp_path / "set"
    for number in range(3):
        picture(root / f"images/{number}.jpg")
    picture(tmp_path / "store/1.png")
    link(root / "masks/0.png", secret)
    link(root / "masks/1.png", tmp_path / "store/1.png")
    link(root / "more.txt", secret)
    (root / "data.yaml").write_text("train: [images, more.txt]\nnames: [x]\n")
    files = write_all(root, tmp_path / "out")
    assert "all/masks/1.png" in files and "all/masks/0.png" not in files


def test_masks_and_lists_of_voc(tmp_path: Path, secret: Path) -> None:
    root = tmp_path / "set"
    for number in range(3):
        picture(root / f"JPEGImages/{number}.jpg")
        (root / "Annotations").mkdir(exist_ok=True)
        (root / f"Annotations/{number}.xml").write_text("<annotation></annotation>")
    (root / "ImageSets/Main").mkdir(parents=True)
    (root / "ImageSets/Main/train.txt").write_text("0\n1\n2\n")
    (tmp_path / "store.txt").write_text(f"{SECRET}1\n0\n")
    link(root / "ImageSets/Main/val.txt", tmp_path / "store.txt")
    link(root / "ImageSets/Layout/x.txt", secret)
    link(root / "labelmap.txt", secret)
    link(root / "SegmentationClass/0.png", secret)
    files = write_all(root, tmp_path / "out")
    assert files["all/ImageSets/Main/val.txt"] == b"1\n0\n"


@pytest.mark.parametrize("name", ["classes.txt", "notes.json"])
def test_classes_of_label_studio(tmp_path: Path, secret: Path, name: str) -> None:
    picture(tmp_path / "set/images/0.jpg")
    (tmp_path / "set/labels").mkdir()
    (tmp_path / "set/classes.txt").write_text("x\n")
    (tmp_path / "set" / name).unlink(missing_ok=True)
    link(tmp_path / "set" / name, secret)
    with pytest.raises(InputError, match=f"{name} leads to a file outside"):
        load_dataset(tmp_path / "set")


def test_annotations_outside_are_counted_and_can_be_refused(tmp_path: Path) -> None:
    picture(tmp_path / "set/0.jpg")
    content = {"images": [{"id": 1, "file_name": "0.jpg"}], "annotations": [], "categories": []}
    (tmp_path / "store.json").write_text(json.dumps(content))
    link(tmp_path / "set/train.json", tmp_path / "store.json")
    assert load_dataset(tmp_path / "set").outside == 1
    with pytest.raises(InputError, match=r"train\.json is outside"):
        load_dataset(tmp_path / "set", outside=False)


def test_a_list_outside_is_counted_and_can_be_refused(tmp_path: Path) -> None:
    picture(tmp_path / "set/0.jpg")
    (tmp_path / "store.txt").write_text("./0.jpg\n0.jpg\n")
    link(tmp_path / "set/train.txt", tmp_path / "store.txt")
    (tmp_path / "set/data.yaml").write_text("train: train.txt\nnames: [x]\n")
    assert load_dataset(tmp_path / "set").outside == 1
    with pytest.raises(InputError, match=r"train\.txt is outside"):
        load_dataset(tmp_path / "set", outside=False)
