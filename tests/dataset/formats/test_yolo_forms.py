"""Forms of data.yaml and of lists that only detreduce reads. Ultralytics reads the outputs."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
import yaml
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.write import write_subset, write_yolo_view
from detreduce.errors import describe_difference


def make(root: Path, names: tuple[str, ...] = ("0.jpg", "1.jpg", "2.jpg"), **keys: object) -> Path:
    for split in ("train", "val"):
        for number, name in enumerate(names):
            image, label = root / "images" / split / name, root / "labels" / split / name
            for file in (image, label):
                file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 48), (number * 50, 0, 0)).save(image)
            label.with_suffix(".txt").write_text("0 0.5 0.5 0.25 0.25\n")
    data = root / "data.yaml"
    data.write_text(yaml.safe_dump({"train": "images/train", "val": "images/val", "names": ["a", "b"], **keys}))
    return data


def found_by_ultralytics(data_yaml: Path, split: str = "train") -> list[str]:
    """Return the names of the images in a split, by ultralytics' own readers."""
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset
    from ultralytics.utils import LOGGER

    LOGGER.setLevel("ERROR")
    data = check_det_dataset(str(data_yaml), autodownload=False)
    theirs = YOLODataset(img_path=data[split], data=data, task="detect", augment=False, imgsz=32, rect=False)
    return sorted(Path(label["im_file"]).name for label in theirs.labels if len(label["cls"]))


def write(data: Path, keep: int, *, view: bool) -> Path:
    output = data.parent.parent / "out"
    dataset = load_dataset(data)
    if view:
        return write_yolo_view(dataset, output)
    write_subset(dataset, dataset.image_ids[:keep], output)
    return output / "data.yaml"


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize("key", ["valid", "validation", "Val", "VALID"])
def test_other_names_of_val(tmp_path: Path, key: str, view: bool) -> None:
    data = make(tmp_path / "set")
    data.write_text(f"train: images/train  # a comment\n{key}: images/val\nnames: [a, b]\n")
    assert len(load_dataset(data, split="val")) == 3
    written = write(data, 2, view=view)
    assert len(found_by_ultralytics(written)) == (3 if view else 2)
    assert len(found_by_ultralytics(written, "val")) == 3
    assert "# a comment" in written.read_text()
    assert set(yaml.safe_load(written.read_text())) == {"train", "val", "names"}


LISTS = {
    "blanks after": ("{} \n", "utf-8", "blanks"),
    "blanks before": (" \t{}\n", "utf-8", "blanks"),
    "windows line ends": ("{}\r\n", "utf-8", ""),
    "byte-order mark": ("{}\n", "utf-8-sig", ""),
    "utf-16": ("{}\r\n", "utf-16", "UTF-16"),
    "no line end": ("{}\n", "utf-8", ""),
}


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize("backslashes", [False, True])
@pytest.mark.parametrize("form", LISTS)
def test_lists_in_other_forms(tmp_path: Path, form: str, backslashes: bool, view: bool) -> None:
    line, encoding, word = LISTS[form]
    data = make(tmp_path / "set", train="train.txt")
    entries = [f"./images/train/{number}.jpg" for number in range(3)]
    text = "".join(line.format(entry.replace("/", "\\") if backslashes else entry) for entry in entries)
    (data.parent / "train.txt").write_bytes((text.rstrip() if form == "no line end" else text).encode(encoding))
    dataset = load_dataset(data)
    assert [record.path.name for record in dataset] == ["0.jpg", "1.jpg", "2.jpg"]
    listed = [problem.what for problem in dataset.problems]
    assert len(listed) == bool(word) + backslashes
    for part in filter(None, (word, "backslashes" * backslashes)):
        assert any(part in what for what in listed)
    written = write(data, 2, view=view)
    assert found_by_ultralytics(written) == (["0.jpg", "1.jpg", "2.jpg"] if view else ["0.jpg", "1.jpg"])


def test_a_list_that_ultralytics_reads_stays_as_it_is(tmp_path: Path) -> None:
    data = make(tmp_path / "set", train="train.txt")
    content = "\ufeff# mine\r\n./images/train/0.jpg\r\n\r\n./images/train/1.jpg\n./images/train/2.jpg".encode()
    (data.parent / "train.txt").write_bytes(content)
    written = write(data, 3, view=False)
    assert (written.parent / "train.txt").read_bytes() == content


@pytest.mark.parametrize("named", ["masks", "notes", None])
def test_masks_go_with_their_images(tmp_path: Path, named: str | None) -> None:
    data = make(tmp_path / "set", **({"masks_dir": named} if named else {}))
    folder = data.parent / (named or "masks")
    for split in ("train", "val"):
        (folder / split).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (64, 48), number).save(folder / split / f"{number}.png")
    written = write(data, 1, view=False)
    there = sorted(str(path.relative_to(written.parent)) for path in written.parent.rglob("*.png"))
    name = named or "masks"
    assert there == [f"{name}/train/0.png", f"{name}/val/0.png", f"{name}/val/1.png"]
    assert yaml.safe_load(written.read_text()).get("masks_dir") == named


@pytest.mark.parametrize("where", ["../elsewhere", "/abs/masks", 3])
def test_masks_that_cannot_be_written_are_said(tmp_path: Path, where: object) -> None:
    data = make(tmp_path / "set", masks_dir=where)
    with pytest.warns(UserWarning, match="masks"):
        written = write(data, 1, view=False)
    assert "masks_dir" not in yaml.safe_load(written.read_text())


@pytest.mark.parametrize(
    ("there", "asked", "words"),
    [
        ("A.jpg", "a.jpg", ["case"]),
        (unicodedata.normalize("NFC", "é.jpg"), unicodedata.normalize("NFD", "é.jpg"), ["Unicode form"]),
        (unicodedata.normalize("NFD", "É.jpg"), unicodedata.normalize("NFC", "é.jpg"), ["case", "Unicode form"]),
    ],
)
def test_a_name_that_only_looks_right_is_explained(tmp_path: Path, there: str, asked: str, words: list[str]) -> None:
    data = make(tmp_path / "set", (there, "1.jpg"), train="train.txt")
    (data.parent / "train.txt").write_text(f"./images/train/{asked}\n./images/train/1.jpg\n")
    (problem,) = [problem for problem in load_dataset(data).problems if problem.line]
    assert ascii(there) in problem.what and all(word in problem.what for word in words)
    assert describe_difference(there, there) is None and describe_difference(there, "b.jpg") is None
