"""Writing YOLO subsets: bytes, links, places, and the result in ultralytics."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import pytest
import yaml

from detreduce.dataset import load_dataset
from detreduce.dataset.write import SubsetWarning, write_subset, write_yolo_view
from detreduce.errors import InputError

JPEG = b"\xff\xd8\xff\xe0 not really an image %d \xff\xd9"


def add(root: Path, split: str, name: str, label: bytes | None, number: int = 0) -> None:
    image = root / split / "images" / name
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(JPEG % (number or abs(hash(name)) % 1000))
    if label is not None:
        file = root / split / "labels" / Path(name).with_suffix(".txt")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(label)


YAML = """# my birds
path: ../somewhere  # where it was
train: train/images   # for training
val: valid/images
nc: 2
names: ['owl', "kite"]   # birds
extra: {a: 1.50, b: [0x1F, ~]}
"""


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    root = tmp_path / "birds"
    add(root, "train", "a/1.jpg", b"0 .5 0.50 .1 .1\n", 1)
    add(root, "train", "b/1.jpg", b"1 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2\r\n", 2)
    add(root, "train", "background.jpg", b"", 3)
    add(root, "train", "unlabelled.jpg", None, 4)
    add(root, "train", "kite.v2.png", b"1 0.5 0.5 1e-1 0.25\n1 0.5 0.5 0.1 0.1", 5)
    add(root, "valid", "a/1.jpg", b"0 0.5 0.5 0.1 0.1", 6)
    (root / "data.yaml").write_text(YAML.replace("path: ../somewhere  # where it was\n", ""))
    return root


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def contents(folder: Path) -> dict[str, bytes]:
    extra = {"selection.json", ".detreduce-files"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in extra
    }


@pytest.mark.parametrize("link", ["symlink", "hardlink", "copy"])
def test_everything_kept_gives_the_same_files(birds: Path, tmp_path: Path, link: str) -> None:
    before = snapshot(birds)
    dataset = load_dataset(birds / "data.yaml")
    reduced = write_subset(dataset, dataset.image_ids, tmp_path / "out", link=link)
    assert contents(tmp_path / "out") == contents(birds)
    assert reduced.image_ids == dataset.image_ids
    assert snapshot(birds) == before


def test_only_the_chosen_images_and_labels_are_there(birds: Path, tmp_path: Path) -> None:
    dataset = load_dataset(birds / "data.yaml")
    chosen = ["train/images/b/1.jpg", "train/images/unlabelled.jpg"]
    reduced = write_subset(dataset, chosen, tmp_path / "out")
    assert set(contents(tmp_path / "out")) == {
        "data.yaml",
        "train/images/b/1.jpg",
        "train/labels/b/1.txt",
        "train/images/unlabelled.jpg",
        "valid/images/a/1.jpg",
        "valid/labels/a/1.txt",
    }
    assert set(reduced.image_ids) == set(chosen)
    label = birds / "train/labels/b/1.txt"
    assert (tmp_path / "out/train/labels/b/1.txt").read_bytes() == label.read_bytes()


def test_images_are_linked_and_labels_never(birds: Path, tmp_path: Path) -> None:
    dataset = load_dataset(birds / "data.yaml")
    image, label = Path("train/images/a/1.jpg"), Path("train/labels/a/1.txt")
    for link in ("symlink", "hardlink", "copy"):
        write_subset(dataset, dataset.image_ids, tmp_path / link, link=link)
        out = tmp_path / link
        assert (out / image).is_symlink() == (link == "symlink")
        same = (out / image).lstat().st_ino == (birds / image).stat().st_ino
        assert same == (link == "hardlink")
        assert not (out / label).is_symlink()
        assert (out / label).stat().st_ino != (birds / label).stat().st_ino
    assert (tmp_path / "symlink" / image).readlink().is_absolute()


def test_a_jpeg_without_end_marker_is_copied(birds: Path, tmp_path: Path) -> None:
    image = birds / "train/images/a/1.jpg"
    image.write_bytes(b"\xff\xd8 cut short")
    dataset = load_dataset(birds / "data.yaml")
    with pytest.warns(SubsetWarning, match="1 JPEG files without an end marker"):
        write_subset(dataset, dataset.image_ids, tmp_path / "out", link="symlink")
    out = tmp_path / "out/train/images/a/1.jpg"
    assert not out.is_symlink()
    assert out.read_bytes() == image.read_bytes()


def test_hardlink_falls_back_to_copy_and_says_so_once(
    birds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    dataset = load_dataset(birds / "data.yaml")
    with pytest.warns(SubsetWarning, match="6 images were copied") as caught:
        write_subset(dataset, dataset.image_ids, tmp_path / "out")
    assert len(caught) == 1
    assert Path(caught[0].filename) == Path(__file__)
    assert contents(tmp_path / "out") == contents(birds)


def test_list_points_at_the_source_in_the_order_chosen(birds: Path, tmp_path: Path) -> None:
    dataset = load_dataset(birds / "data.yaml")
    chosen = ["train/images/kite.v2.png", "train/images/a/1.jpg"]
    with pytest.warns(SubsetWarning, match=r"labels\.cache"):
        reduced = write_subset(dataset, chosen, tmp_path / "out", link="list")
    assert (tmp_path / "out/train.txt").read_text() == "".join(f"{birds / name}\n" for name in chosen)
    assert set(contents(tmp_path / "out")) == {"train.txt", "data.yaml"}
    assert len(reduced) == 2 and reduced.box_classes.tolist() == [0, 1, 1]
    assert yaml.safe_load((tmp_path / "out/data.yaml").read_text())["val"] == str(birds / "valid/images")


def check(data_yaml: Path, monkeypatch: pytest.MonkeyPatch, cwd: Path) -> dict[str, object]:
    from ultralytics.data.utils import check_det_dataset

    monkeypatch.chdir(cwd)
    return check_det_dataset(str(data_yaml), autodownload=False)


def listed_by_ultralytics(value: object) -> set[str]:
    from ultralytics.data.base import BaseDataset

    loader = BaseDataset.__new__(BaseDataset)
    loader.prefix, loader.fraction = "", 1.0
    return {os.path.normpath(path) for path in loader.get_img_files(value)}


def test_ultralytics_finds_it_from_anywhere_and_after_a_move(
    birds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (birds / "data.yaml").write_text(YAML.replace("../somewhere", str(birds)))
    dataset = load_dataset(birds / "data.yaml")
    write_subset(dataset, dataset.image_ids[:2], tmp_path / "out")
    moved = tmp_path / "elsewhere" / "moved"
    moved.parent.mkdir()
    for place in (tmp_path / "out", moved):
        if place == moved:
            shutil.move(tmp_path / "out", moved)
        data = check(place / "data.yaml", monkeypatch, Path("/"))
        assert listed_by_ultralytics(data["train"]) == {str(p) for p in (place / "train").rglob("*.jpg")}
        assert len(listed_by_ultralytics(data["train"])) == 2
        data = check(Path("data.yaml"), monkeypatch, place)
        assert Path(str(data["val"])) == place / "valid/images"


def test_only_path_lines_of_data_yaml_change(birds: Path, tmp_path: Path) -> None:
    (birds / "data.yaml").write_text(YAML.replace("../somewhere", str(birds)))
    dataset = load_dataset(birds / "data.yaml")
    write_subset(dataset, dataset.image_ids, tmp_path / "out")
    expected = YAML.replace("path: ../somewhere  # where it was", "# where it was")
    assert (tmp_path / "out/data.yaml").read_text() == expected


def test_train_and_val_in_one_folder_become_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "coco8"
    for number in range(4):
        add(root, ".", f"t/{number}.jpg", b"0 0.5 0.5 0.1 0.1", number + 1)
    (root / "data.yaml").write_text("train: images/t\nval: images/t\nnames: [x]\n")
    dataset = load_dataset(root / "data.yaml")
    reduced = write_subset(dataset, dataset.image_ids[1:3], tmp_path / "out")
    assert (tmp_path / "out/data.yaml").read_text() == "train: train.txt\nval: images/t\nnames: [x]\n"
    assert (tmp_path / "out/train.txt").read_text() == "./images/t/1.jpg\n./images/t/2.jpg\n"
    assert len(reduced) == 2
    assert len(load_dataset(tmp_path / "out/data.yaml", split="val")) == 4
    data = check(tmp_path / "out/data.yaml", monkeypatch, Path("/"))
    assert listed_by_ultralytics(data["train"]) == {str(tmp_path / f"out/images/t/{n}.jpg") for n in (1, 2)}


def test_list_files_keep_their_lines(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for number in range(4):
        add(root, ".", f"{number}.jpg", b"0 0.5 0.5 0.1 0.1", number + 1)
    (root / "lists").mkdir()
    lines = f"./../images/2.jpg\r\n\r\nimages/0.jpg\n{root}/images/1.jpg\n./../images/3.jpg"
    (root / "lists/train.txt").write_bytes(lines.encode())
    (root / "data.yaml").write_text("train: [lists/train.txt]\nval: images/0.jpg\nnames: [x]\n")
    dataset = load_dataset(root / "data.yaml")
    assert len(dataset) == 4
    write_subset(dataset, [i for i in dataset.image_ids if "1" not in str(i)], tmp_path / "out")
    expected = b"./../images/2.jpg\r\n\r\n./../images/0.jpg\n./../images/3.jpg"
    assert (tmp_path / "out/lists/train.txt").read_bytes() == expected
    assert (tmp_path / "out/data.yaml").read_text() == "train: [lists/train.txt]\nval: val.txt\nnames: [x]\n"
    assert load_dataset(tmp_path / "out/data.yaml", split="val").image_ids == ["images/0.jpg"]


def test_images_outside_the_root_come_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "cfg"
    root.mkdir()
    for place in ("one", "two"):
        add(tmp_path / place, "train", "same.jpg", b"0 0.5 0.5 0.1 0.1\n", len(place) + ord(place[0]))
    add(root, "train", "same.jpg", b"0 0.1 0.1 0.1 0.1\n", 9)
    entries = ["train/images", "../one/train/images", str(tmp_path / "two/train/images")]
    (root / "data.yaml").write_text(yaml.safe_dump({"train": entries, "val": "train/images", "names": ["x"]}))
    dataset = load_dataset(root / "data.yaml")
    assert len(dataset) == 3
    reduced = write_subset(dataset, dataset.image_ids, tmp_path / "out/deep")
    assert len(reduced) == 3
    images = sorted(p.read_bytes() for p in (tmp_path / "out").rglob("*.jpg"))
    assert images == sorted(record.path.read_bytes() for record in dataset)
    data = yaml.safe_load((tmp_path / "out/deep/data.yaml").read_text())
    assert not any(".." in entry or entry.startswith("/") for entry in data["train"])
    found = check(tmp_path / "out/deep/data.yaml", monkeypatch, Path("/"))
    assert len(listed_by_ultralytics(found["train"])) == 3


def test_images_outside_the_root_do_not_take_the_place_of_those_inside(tmp_path: Path) -> None:
    root = tmp_path / "cfg"
    add(root, ".", "same.jpg", b"0 0.1 0.1 0.1 0.1\n", 1)
    add(tmp_path / "far", "train", "same.png", b"0 0.2 0.2 0.2 0.2\n", 2)
    (root / "data.yaml").write_text("train: [images, ../far/train/images]\nval: images\nnames: [x]\n")
    dataset = load_dataset(root / "data.yaml")
    reduced = write_subset(dataset, dataset.image_ids, tmp_path / "out")
    pairs = {(record.path.read_bytes(), record.boxes[0, 0]) for record in reduced}
    assert pairs == {(JPEG % 1, 0.1), (JPEG % 2, 0.2)}
    assert tmp_path / "out/outside/images/same.png" in {record.path for record in reduced}


def test_labels_beside_images_below_a_folder_called_images(tmp_path: Path) -> None:
    """Ultralytics replaces the last /images/ of the absolute path, which may be above the output."""
    from ultralytics.data.utils import img2label_paths

    root = tmp_path / "flat"
    root.mkdir()
    for number in range(3):
        (root / f"{number}.jpg").write_bytes(JPEG % number)
        (root / f"{number}.txt").write_bytes(b"0 0.5 0.5 0.1 0.1\n")
    (root / "data.yaml").write_text("train: .\nval: .\nnames: [x]\n")
    dataset = load_dataset(root / "data.yaml")
    for output in (tmp_path / "out", tmp_path / "images" / "out"):
        reduced = write_subset(dataset, dataset.image_ids[:2], output)
        for record in reduced:
            label = Path(img2label_paths([str(record.path)])[0])
            assert label.read_bytes() == b"0 0.5 0.5 0.1 0.1\n"
            assert label.is_relative_to(output)


def test_a_split_that_is_not_there_is_left_out(birds: Path, tmp_path: Path) -> None:
    (birds / "data.yaml").write_text("train: train/images\nval: valid/images\ntest: ../nowhere/images\nnames: [a, b]\n")
    dataset = load_dataset(birds / "data.yaml")
    write_subset(dataset, dataset.image_ids[:1], tmp_path / "out", link="symlink")
    assert yaml.safe_load((tmp_path / "out/data.yaml").read_text()) == {
        "train": "train/images",
        "val": "valid/images",
        "names": ["a", "b"],
    }


def test_a_subset_of_a_subset_links_to_the_first_source(birds: Path, tmp_path: Path) -> None:
    dataset = load_dataset(birds / "data.yaml")
    first = write_subset(dataset, dataset.image_ids[:3], tmp_path / "first", link="symlink")
    write_subset(first, first.image_ids[:1], tmp_path / "second", link="symlink")
    shutil.rmtree(tmp_path / "first")
    second = load_dataset(tmp_path / "second/data.yaml")
    assert [record.path.read_bytes() for record in second] == [dataset[0].path.read_bytes()]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["aquarium", "highway5"])
def test_real_yolo_datasets(shared: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = shared / "data" / name
    dataset = load_dataset(source / "data.yaml")
    full = write_subset(dataset, dataset.image_ids, tmp_path / "full", link="symlink")
    assert full.image_ids == dataset.image_ids
    labels = {path.relative_to(source) for path in source.rglob("*.txt") if path.parent.name == "labels"}
    written = {path.relative_to(tmp_path / "full") for path in (tmp_path / "full").rglob("labels/*.txt")}
    assert written == labels
    assert all((tmp_path / "full" / path).read_bytes() == (source / path).read_bytes() for path in labels)
    images = {path.relative_to(source) for path in source.rglob("*.jpg")}
    assert {path.relative_to(tmp_path / "full") for path in (tmp_path / "full").rglob("*.jpg")} == images
    old, new = (yaml.safe_load((place / "data.yaml").read_text()) for place in (source, tmp_path / "full"))
    paths = {"train", "val", "test"}
    assert {k: v for k, v in new.items() if k not in paths} == {k: v for k, v in old.items() if k not in paths}
    data = check(tmp_path / "full/data.yaml", monkeypatch, Path("/"))
    assert len(listed_by_ultralytics(data["train"])) == len(dataset)
    quarter = write_subset(dataset, dataset.image_ids[::4], tmp_path / "quarter", link="symlink")
    assert quarter.image_ids == dataset.image_ids[::4]
    assert len(load_dataset(tmp_path / "quarter/data.yaml", split="val")) == len(load_dataset(source, split="val"))


def test_view_holds_all_splits_and_needs_no_val(birds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_yaml = write_yolo_view(birds / "data.yaml", tmp_path / "run/data")
    assert data_yaml == tmp_path / "run/data/data.yaml"
    assert contents(tmp_path / "run/data") == contents(birds)
    (birds / "data.yaml").write_text("train: train/images\nnames: [owl, kite]\n")
    data = check(write_yolo_view(birds / "data.yaml", tmp_path / "other"), monkeypatch, Path("/"))
    assert data["val"] == data["train"]
    with pytest.raises(InputError, match="link='list'"):
        write_yolo_view(birds / "data.yaml", tmp_path / "third", link="list")


def test_a_plain_write_warns_of_nothing(birds: Path, tmp_path: Path) -> None:
    dataset = load_dataset(birds / "data.yaml")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_subset(dataset, dataset.image_ids, tmp_path / "out")
