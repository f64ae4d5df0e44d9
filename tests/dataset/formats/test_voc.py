"""Pascal VOC folders: lists, names, sizes, and XML with faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from detreduce.dataset import load_dataset
from detreduce.dataset.health.counts import load_all_splits, summarise
from detreduce.dataset.health.leaks import find_leaks
from detreduce.dataset.health.shared_images import shared_advice
from detreduce.errors import InputError, MissingFileError


def obj(name: str, *box: object, extra: str = "") -> str:
    keys = ("xmin", "ymin", "xmax", "ymax")
    corners = "".join(f"<{key}>{value}</{key}>" for key, value in zip(keys, box, strict=False))
    return f"<object><name>{name}</name>{extra}<bndbox>{corners}</bndbox></object>"


def note(root: Path, stem: str, *objects: str, filename: str | None = None, size: str = "100 50") -> None:
    width, height = size.split()
    path = root / f"Annotations/{stem}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation><filename>{filename or stem + '.jpg'}</filename><size><width>{width}</width>"
        f"<height>{height}</height><depth>3</depth></size>{''.join(objects)}</annotation>"
    )


def picture(root: Path, *names: str) -> None:
    for name in names:
        path = root / "JPEGImages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def listed(root: Path, name: str, text: str) -> Path:
    path = root / f"ImageSets/Main/{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "VOC2026"
    note(folder, "b", obj("dog", 1, 2, 30, 40), obj("ant", 10, 10, 100, 50, extra="<difficult>1</difficult>"))
    note(folder, "a", obj("cat", 1, 2, 3.5, 4))
    note(folder, "c")
    picture(folder, "a.jpg", "b.jpg", "c.png")
    return folder


def whats(dataset) -> list[str]:
    return [problem.what for problem in dataset.problems]


def test_without_lists_all_xml_files_are_train(root):
    dataset = load_dataset(root)
    assert dataset.image_ids == ["JPEGImages/a.jpg", "JPEGImages/b.jpg", "JPEGImages/c.png"]
    assert [record.name for record in dataset] == ["a.jpg", "b.jpg", "c.png"]
    assert dataset.class_names == dataset.class_keys == ("ant", "cat", "dog")
    assert dataset[1].boxes.tolist() == [[1, 2, 30, 40], [10, 10, 100, 50]]
    assert dataset[1].class_ids.tolist() == [2, 0]
    assert not dataset[1].crowd.any()
    assert dataset[0].size == (100, 50)
    assert dataset[0].label_path == root / "Annotations/a.xml"
    assert (dataset.box_format, dataset.problems, list(dataset.source.splits)) == ("xyxy", (), ["train"])


def test_lists(root):
    listed(root, "train", "b\n\n")
    listed(root, "val", "a 1\r\nc -1\r\n")
    listed(root, "dog_train", "a -1\nb  1\nc  0\n")
    listed(root, "night", "c\n")
    dataset = load_dataset(root, "valid")
    assert list(dataset.source.splits) == ["train", "val", "night"]
    assert [record.name for record in dataset] == ["a.jpg", "c.png"]
    # classes come from the whole folder, so that all splits have the same classes
    assert dataset.class_names == ("ant", "cat", "dog")
    assert [record.name for record in load_dataset(root, "train")] == ["b.jpg"]
    with pytest.raises(InputError, match=r"'test'.*: train, val, night"):
        load_dataset(root, "test")


def test_list_entries_that_do_not_fit(root):
    picture(root, "no xml.jpg")
    note(root, "no_image", obj("dog", 1, 1, 2, 2))
    listed(root, "train", "a\nno xml\nno_image\nneither\na\n")
    dataset = load_dataset(root)
    assert [record.name for record in dataset] == ["a.jpg", "no xml.jpg"]
    assert [(problem.line, problem.what) for problem in dataset.problems] == [
        (2, "'no xml' has no XML file; the image counts as background"),
        (3, "'no_image' has no image in JPEGImages; left out"),
        (4, "'neither' has no image in JPEGImages; left out"),
        (5, "a.jpg: listed twice, used once"),
    ]


def test_the_counts_of_all_splits_are_of_loaded_images(root):
    listed(root, "train", "a\n")
    listed(root, "test", "b\nneither\nc\nb\n")
    assert summarise(load_dataset(root)).splits == {"train": 1, "test": 2}
    assert summarise(load_dataset(root, "test")).splits == {"train": 1, "test": 2}


def test_advice_to_delete_an_image_names_its_list(root):
    for name in ("val", "test"):
        listed(root, name, f"{'a' if name == 'val' else 'b'}\n")
        picture(root, "a.jpg", "b.jpg")
    listed(root, "train", "c\n")
    splits, _ = load_all_splits(load_dataset(root))
    for file in ("a.jpg", "b.jpg"):
        (root / "JPEGImages" / file).write_bytes(b"the same")
    advice = shared_advice(root, splits, find_leaks(splits).not_in_train)
    assert "their annotations, and their lines in test.txt" in advice and "b.jpg" in advice


def test_the_image_is_that_of_the_xml_s_own_name_else_of_its_filename(root):
    note(root, "a", obj("cat", 1, 2, 3, 4), filename="b.jpg")
    note(root, "other", obj("cat", 1, 2, 3, 4), filename="d.jpg")
    picture(root, "d.jpg")
    dataset = load_dataset(root)
    assert [record.name for record in dataset] == ["a.jpg", "b.jpg", "c.png", "d.jpg"]
    assert dataset.problems == ()


def test_images_without_xml_are_named_where_there_are_no_lists(root):
    picture(root, "z.jpg")
    [problem] = load_dataset(root).problems
    assert (problem.file.name, problem.what) == ("z.jpg", "has no XML file; left out")


@pytest.mark.parametrize(
    ("objects", "boxes", "word"),
    [
        (obj("dog", 1, 2, "x", 4), 0, "<bndbox> is not four finite numbers"),
        (obj("dog", 1, 2, "nan", 4), 0, "<bndbox> is not four finite numbers"),
        (obj("dog", 1, 2, 3), 0, "<bndbox> is not four finite numbers"),
        (obj(" ", 1, 2, 3, 4), 0, "no <name>"),
        (obj("dog", 5, 2, 3, 4), 0, "negative box size"),
        (obj("dog", 3, 2, 3, 4), 1, "zero-area box"),
        (obj("dog", 3, 2, 130, 4), 1, "reaches past the image (100 x 50)"),
        (obj("dog", 1, 2, 3, 4) * 2, 2, "identical to object 1"),
    ],
)
def test_bad_objects(root, objects, boxes, word):
    note(root, "c", objects)
    dataset = load_dataset(root)
    assert len(dataset[2].boxes) == boxes
    assert word in whats(dataset)[0]
    # an image without a usable object is not background
    assert dataset[2].unreadable == (boxes == 0) == (len(whats(dataset)) == 2)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"<annotation><object>", "not valid XML (line 1"),
        (b"", "not valid XML"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "cannot be read|not valid XML"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "not valid XML"),
    ],
)
def test_bad_xml_is_no_background(root, data, word):
    (root / "Annotations/c.xml").write_bytes(data)
    dataset = load_dataset(root)
    assert len(dataset) == 3
    assert len(dataset[2].boxes) == 0 and dataset[2].unreadable
    assert any(part in whats(dataset)[0] for part in word.split("|"))


def test_entities_that_grow_without_bound_are_refused(root):
    lines = "".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10}">' for n in range(1, 10))
    (root / "Annotations/c.xml").write_text(f'<!DOCTYPE a [<!ENTITY x0 "{"y" * 1000}">{lines}]><a>&x9;</a>')
    [what] = whats(load_dataset(root))
    assert "not valid XML" in what


def test_missing_size_is_named(root):
    note(root, "c", size="0 0")
    dataset = load_dataset(root)
    assert (dataset[2].width, whats(dataset)) == (None, ["no usable <size>"])


def test_no_images_and_empty_split(root):
    listed(root, "train", "\n")
    with pytest.raises(InputError, match="the split 'train' has no image"):
        load_dataset(root)
    for path in (root / "JPEGImages").iterdir():
        path.unlink()
    with pytest.raises(MissingFileError, match="JPEGImages"):
        load_dataset(root)


def test_a_folder_around_the_voc_folder(root, tmp_path):
    assert load_dataset(tmp_path).source.root == root
    picture(tmp_path / "VOC2027", "a.jpg")
    note(tmp_path / "VOC2027", "a")
    with pytest.raises(InputError, match="VOC2026, VOC2027"):
        load_dataset(tmp_path)


def test_dataset_yaml(root, tmp_path):
    listed(root, "night", "c\n")
    listed(root, "train", "a\n")
    place = tmp_path / "set.yaml"
    place.write_text("format: voc\npath: VOC2026\ntrain: night\n")
    dataset = load_dataset(place)
    assert ([record.name for record in dataset], list(dataset.source.splits)) == (["c.png"], ["train"])
    place.write_text("format: voc\npath: VOC2026\n")
    assert list(load_dataset(place).source.splits) == ["train", "night"]
    place.write_text("format: voc\npath: VOC2026\ntrain: day\n")
    with pytest.raises(MissingFileError, match=r"'day'.*night, train"):
        load_dataset(place)
    place.write_text("format: voc\npath: .\nget: Ask Ada.\n")
    with pytest.raises(MissingFileError, match=r"Annotations.*Ask Ada\."):
        load_dataset(place)
