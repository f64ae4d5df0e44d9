"""Images with unreadable labels are not background: conversion and training leave these images out and count them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.health.counts import summarise
from detreduce.dataset.reading.xml_text import parse_xml
from detreduce.dataset.write import SubsetWarning, subset_report, write_subset, write_yolo_view
from detreduce.errors import InputError
from detreduce.experiment.ledger.identity import data_identity
from detreduce.selection import select

BOX = "<bndbox><xmin>5</xmin><ymin>6</ymin><xmax>25</xmax><ymax>21</ymax></bndbox>"


def draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 48), (len(path.name), 3, 4)).save(path)


def xml(objects: str, encoding: str | None = None) -> str:
    declared = f"<?xml version='1.0' encoding='{encoding}'?>\n" if encoding else ""
    return f"{declared}<annotation><size><width>64</width><height>48</height></size>{objects}</annotation>"


def obj(name: str, box: str = BOX) -> str:
    return f"<object><name>{name}</name>{box}</object>"


def make_voc(root: Path, bad: str) -> Path:
    for stem in ("a", "b", "c"):
        draw(root / f"JPEGImages/{stem}.jpg")
    (root / "Annotations").mkdir()
    (root / "Annotations/a.xml").write_text(xml(obj("cat")))
    (root / "Annotations/b.xml").write_text(xml(""))
    (root / "Annotations/c.xml").write_text(bad)
    return root


def make_coco(root: Path, bad: object) -> Path:
    for stem in ("a", "b", "c"):
        draw(root / f"{stem}.jpg")
    images = [{"id": n, "file_name": f"{s}.jpg", "width": 64, "height": 48} for n, s in enumerate("abc")]
    boxes = [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [5, 6, 20, 15]}]
    boxes.append({"id": 2, "image_id": 2, "category_id": 1, "bbox": bad})
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    (root / "train.json").write_text(json.dumps(content))
    return root / "train.json"


def make_cvat(root: Path, bad: str) -> Path:
    good = "<box label='cat' xtl='5' ytl='6' xbr='25' ybr='21'/>"
    texts = []
    for stem, shape in zip("abc", (good, "", bad), strict=True):
        draw(root / f"images/{stem}.jpg")
        texts.append(f"<image id='1' name='{stem}.jpg' width='64' height='48'>{shape}</image>")
    (root / "annotations.xml").write_text(f"<annotations>{''.join(texts)}</annotations>")
    return root / "annotations.xml"


def make_label_studio(root: Path, bad: dict) -> Path:
    value = {"x": 10, "y": 10, "width": 20, "height": 20}
    good = {"type": "rectanglelabels", "value": {**value, "rectanglelabels": ["cat"]}}
    tasks = []
    for number, (stem, result) in enumerate(zip("abc", ([good], [], [bad]), strict=True)):
        draw(root / f"images/{stem}.jpg")
        tasks.append({"id": number, "data": {"image": f"{stem}.jpg"}, "annotations": [{"id": 1, "result": result}]})
    (root / "tasks.json").write_text(json.dumps(tasks))
    return root / "tasks.json"


RECTANGLE = {"type": "rectangle", "original_width": 64, "original_height": 48}
CASES = {
    "cut": lambda root: make_voc(root, xml(obj("cat"))[:-20]),
    "no box": lambda root: make_voc(root, xml(obj("cat", "<polygon><x1>1</x1></polygon>"))),
    "no name": lambda root: make_voc(root, xml(obj(" "))),
    "encoding": lambda root: make_voc(root, xml(obj("cat"), "martian")),
    "coco": lambda root: make_coco(root, None),
    "coco negative": lambda root: make_coco(root, [5, 6, -3, 4]),
    "cvat": lambda root: make_cvat(root, "<box label='cat' xtl='x' ytl='6' xbr='25' ybr='21'/>"),
    "label studio": lambda root: make_label_studio(
        root, {**RECTANGLE, "value": {"x": 1, "y": 1, "width": 20, "height": 20}}
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_is_left_out_and_counted(tmp_path: Path, case: str) -> None:
    dataset = load_dataset(CASES[case](tmp_path / "source"))
    assert [record.unreadable for record in dataset] == [False, False, True]
    assert dataset.problems
    with pytest.warns(SubsetWarning, match="1 image of the train split has labels that cannot be read"):
        reduced = write_subset(dataset, dataset.image_ids, tmp_path / "yolo", format="yolo")
    assert [(record.name, len(record.boxes)) for record in reduced] == [("a.jpg", 1), ("b.jpg", 0)]
    with pytest.warns(SubsetWarning, match="1 image of the train split has labels that cannot be read"):
        view = write_yolo_view(dataset, tmp_path / "view")
    assert len(load_dataset(view)) == 2
    # the source's own format stays lossless
    again = write_subset(dataset, dataset.image_ids, tmp_path / "same")
    assert [record.unreadable for record in again] == [False, False, True]


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_left_where_no_label_can_be_read(tmp_path: Path, case: str) -> None:
    dataset = load_dataset(CASES[case](tmp_path / "source"))
    with (
        pytest.warns(SubsetWarning, match="cannot be read"),
        pytest.raises(InputError, match=r"none of the images \(1\) has labels that can be read"),
    ):
        write_subset(dataset, [dataset[2].id], tmp_path / "yolo", format="yolo")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_yolo_labels_of_no_use(tmp_path: Path) -> None:
    for stem, text in (("a", "0 0.5 0.5 0.2 0.2\n"), ("b", ""), ("c", "cat 0.5 0.5 0.2 0.2\n")):
        draw(tmp_path / f"source/images/{stem}.jpg")
        (tmp_path / "source/labels").mkdir(exist_ok=True)
        (tmp_path / f"source/labels/{stem}.txt").write_text(text)
    (tmp_path / "source/data.yaml").write_text("train: images\nval: images\nnames: [cat]\n")
    dataset = load_dataset(tmp_path / "source")
    assert [record.unreadable for record in dataset] == [False, False, True]
    with pytest.warns(SubsetWarning, match="1 image of the val split has labels that cannot be read"):
        view = write_yolo_view(dataset, tmp_path / "view")
    assert {split: len(load_dataset(view, split)) for split in ("train", "val")} == {"train": 2, "val": 2}


def test_label_studio_region_that_is_stored_twice(tmp_path: Path) -> None:
    value = {"x": 1, "y": 1, "width": 20, "height": 20}
    file = make_label_studio(tmp_path, {**RECTANGLE, "value": value})
    tasks = json.loads(file.read_text())
    tasks[2]["annotations"][0]["result"].append({"type": "labels", "value": {**value, "labels": ["dog"]}})
    file.write_text(json.dumps(tasks))
    dataset = load_dataset(file)
    assert [len(record.boxes) for record in dataset] == [1, 0, 1] and not dataset.problems


ENCODINGS = ["utf-8", "utf-16", "gbk", "gb2312", "shift_jis", "big5", "euc-kr", "iso-8859-1", "windows-1251", "latin-1"]
WORDS = {"shift_jis": "ねこ", "euc-kr": "고양이", "iso-8859-1": "été", "latin-1": "été", "windows-1251": "кот"}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_xml_is_decoded_by_its_declared_encoding(tmp_path: Path, encoding: str) -> None:
    word = WORDS.get(encoding, "貓" if encoding == "big5" else "猫")
    root = make_voc(tmp_path, "")
    (root / "Annotations/c.xml").write_bytes(xml(obj(word), encoding).encode(encoding))
    dataset = load_dataset(root)
    assert set(dataset.class_names) == {"cat", word}
    assert not dataset[2].unreadable and not dataset.problems


def test_a_bare_ampersand_is_read_as_it_was_meant(tmp_path: Path) -> None:
    dataset = load_dataset(make_voc(tmp_path, xml(obj("cat & dog &amp; &#65;&x"))))
    assert dataset.class_names == ("cat", "cat & dog & A&x")
    assert [problem.what for problem in dataset.problems] == ["not valid XML: 2 '&' are not '&amp;'; read as text"]


def test_utf8_that_calls_itself_utf16() -> None:
    root, found = parse_xml("<?xml version='1.0' encoding='utf-16'?><a>é</a>".encode())
    assert (root.text, len(found)) == ("é", 1)


@pytest.mark.parametrize(
    "folders", [("annotations", "images"), ("annotations", "jpegimages"), ("Annotation", "Images")]
)
def test_voc_folders_in_any_case(tmp_path: Path, folders: tuple[str, str]) -> None:
    notes, images = folders
    root = make_voc(tmp_path / "source", xml(obj("dog")))
    (root / "Annotations").rename(root / notes)
    (root / "JPEGImages").rename(root / images)
    (root / "imagesets/main").mkdir(parents=True)
    (root / "imagesets/main/train.txt").write_text(f"a\n/data/set/{images}/b.jpg\n")
    (root / "imagesets/main/val.txt").write_text(f"{images}/c.jpg\n")
    dataset = load_dataset(root)
    assert (dataset.source.format, dataset.image_ids) == ("voc", [f"{images}/a.jpg", f"{images}/b.jpg"])
    reduced = write_subset(dataset, [f"{images}/b.jpg"], tmp_path / "out")
    assert reduced.image_ids == [f"{images}/b.jpg"]
    assert load_dataset(tmp_path / "out", "val").image_ids == [f"{images}/c.jpg"]
    assert (tmp_path / "out/imagesets/main/train.txt").read_text() == f"/data/set/{images}/b.jpg\n"


@pytest.mark.parametrize("splits", [(), ("train", "valid", "test")])
def test_voc_files_next_to_their_images(tmp_path: Path, splits: tuple[str, ...]) -> None:
    root = tmp_path / "source"
    for split in splits or (".",):
        for number in range(3):
            draw(root / split / f"{number}.jpg")
            (root / split / f"{number}.xml").write_text(xml(obj(f"in {split}")))
    dataset = load_dataset(root)
    assert (dataset.source.format, len(dataset)) == ("voc", 3)
    assert dict.fromkeys(dataset.source.splits) == dict.fromkeys(["train", "val", "test"] if splits else ["train"])
    reduced = write_subset(dataset, [dataset[1].id], tmp_path / "out")
    assert reduced.image_ids == [dataset[1].id] and len(reduced[0].boxes) == 1
    for split in dataset.source.splits:
        again = load_dataset(tmp_path / "out", split)
        assert len(again) == (1 if split == "train" else 3)
        assert again.box_classes.size == len(again)


def test_a_list_of_no_images_shows_a_line(tmp_path: Path) -> None:
    root = make_voc(tmp_path, xml(""))
    (root / "ImageSets/Main").mkdir(parents=True)
    (root / "ImageSets/Main/train.txt").write_bytes("D:\\other\\x.jpg\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"no images in JPEGImages.*D:.*other"):
        load_dataset(root)
    (root / "ImageSets/Main/train.txt").write_bytes("D:\\set\\JPEGImages\\b.jpg\n".encode("utf-16"))
    assert load_dataset(root).image_ids == ["JPEGImages/b.jpg"]
    write_subset(load_dataset(root), ["JPEGImages/b.jpg"], tmp_path / "out")
    assert load_dataset(tmp_path / "out").image_ids == ["JPEGImages/b.jpg"]


def test_cvat_in_another_encoding_is_one_error(tmp_path: Path) -> None:
    file = make_cvat(tmp_path, "")
    file.write_bytes(("<?xml version='1.0' encoding='gbk'?>" + file.read_text()).encode("gbk"))
    with pytest.raises(InputError, match="not UTF-8"):
        load_dataset(file)


def test_an_unreadable_label_is_not_counted_as_background(tmp_path: Path) -> None:
    dataset = load_dataset(make_voc(tmp_path / "set", "<annotation"))
    assert [record.name for record, empty in zip(dataset, dataset.background, strict=True) if empty] == ["b.jpg"]
    assert summarise(dataset).background == 1
    report = subset_report(dataset, dataset.image_ids)
    assert (report.background_full, report.background_kept) == (1, 1)


def test_a_choice_keeps_shares_of_background_and_of_unreadable_labels_apart(tmp_path: Path) -> None:
    for number in range(24):
        draw(tmp_path / f"images/{number:02}.jpg")
        kind = ["0 0.5 0.5 0.2 0.2\n", "", "0 half\n"][number % 3]
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / f"labels/{number:02}.txt").write_text(kind)
    (tmp_path / "data.yaml").write_text("train: images\nval: images\nnames: [cat]\n")
    dataset = load_dataset(tmp_path)
    for method in ("srs", "stride"):
        chosen = select(dataset, method, keep=12)
        assert chosen.categories["kept"] == {"cat": 4, "background": 4, "unreadable labels": 4}
    before = data_identity(dataset)
    (tmp_path / "labels/01.txt").write_text("0 half\n")
    changed = load_dataset(tmp_path)
    assert changed.content_hash == dataset.content_hash, "a selection of an earlier version still belongs to the data"
    assert data_identity(changed) != before, "a cell does not"
