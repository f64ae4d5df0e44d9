"""YOLO datasets on disk: the places of images and labels, and the messages about missing files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.dataset import load_dataset
from detreduce.errors import InputError, MissingFileError


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def data_yaml(root: Path, **values: object) -> Path:
    return write(root / "data.yaml", yaml.safe_dump({"train": "images/train", "names": ["cat", "dog"], **values}))


def add(root: Path, name: str, *lines: str) -> None:
    """An (empty) image and its label file below images/ and labels/."""
    write(root / "images" / name)
    write((root / "labels" / name).with_suffix(".txt"), "\n".join(lines))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    add(tmp_path, "train/b.jpg", "0 0.5 0.5 0.2 0.2", "1 0.5 0.5 0.4 0.4")
    add(tmp_path, "train/sub/a.PNG", "1 0.5 0.5 0.2 0.2")
    add(tmp_path, "val/v.jpg", "0 0.5 0.5 0.2 0.2")
    write(tmp_path / "images/train/background.jpg")
    write(tmp_path / "images/train/.hidden.jpg")
    write(tmp_path / "images/train/notes.md")
    return tmp_path


def whats(dataset) -> list[str]:
    return [problem.what for problem in dataset.problems]


def test_folder_with_sub_folders_and_background(root):
    dataset = load_dataset(data_yaml(root, val="images/val"))
    assert [record.name for record in dataset] == ["b.jpg", "background.jpg", "sub/a.PNG"]
    assert dataset.image_ids == ["images/train/b.jpg", "images/train/background.jpg", "images/train/sub/a.PNG"]
    assert dataset.class_counts.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert dataset.class_names == ("cat", "dog")
    assert dataset[0].label_path == root / "labels/train/b.txt"
    assert dataset[1].label_path is None
    assert list(dataset.source.splits) == ["train", "val"]
    assert dataset.problems == ()
    assert not dataset[0].boxes.flags.writeable


def test_aliases_of_val(root):
    dataset = load_dataset(data_yaml(root, valid="images/val"), "validation")
    assert (dataset.split, [record.name for record in dataset]) == ("val", ["v.jpg"])
    assert list(dataset.source.splits) == ["train", "val"]


def test_split_that_is_not_there(root):
    with pytest.raises(InputError, match=r"'tets'.*: train, val"):
        load_dataset(data_yaml(root, val="images/val"), "tets")


@pytest.mark.parametrize("place", ["images/train/*.jpg", "images/tra*", "images/**/[b]*.jpg"])
def test_glob(root, place):
    assert "b.jpg" in [record.name.rsplit("/", 1)[-1] for record in load_dataset(data_yaml(root, train=place))]


def test_several_places_and_an_image_listed_twice(root):
    write(root / "more.txt", "./images/val/v.jpg\nimages/train/b.jpg\n\n")
    dataset = load_dataset(data_yaml(root, train=["images/train", "more.txt"]))
    assert len(dataset) == 4
    [what] = whats(dataset)
    assert what.startswith("b.jpg: listed twice")


def test_rows_are_sorted_by_name_over_all_places(root):
    dataset = load_dataset(data_yaml(root, train=["images/val", "images/train"]))
    assert [record.name for record in dataset] == ["b.jpg", "background.jpg", "sub/a.PNG", "v.jpg"]


def test_list_file_entries(root):
    """./ means the folder of the list. Other paths are below the root, or else below the folder of the list."""
    write(root / "lists/one.txt", "\ufeff./here.jpg\r\nimages/val/v.jpg\r\nthere.jpg\r\nmissing.jpg\r\nREADME.md")
    write(root / "lists/here.jpg")
    write(root / "lists/there.jpg")
    dataset = load_dataset(data_yaml(root, train="lists/one.txt"))
    assert {record.id for record in dataset} == {"lists/here.jpg", "lists/there.jpg", "images/val/v.jpg"}
    assert [(problem.line, problem.what.split(";")[0]) for problem in dataset.problems] == [
        (4, "image 'missing.jpg' does not exist"),
        (5, "'README.md' is not the name of an image file"),
    ]


def test_list_without_any_of_its_images(root):
    write(root / "list.txt", "gone.jpg\n")
    with pytest.raises(MissingFileError, match=r"none of its images \(1\)"):
        load_dataset(data_yaml(root, train="list.txt"))


def test_images_outside_the_root_have_absolute_ids(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    place = data_yaml(elsewhere, train=f"../{root.name}/images/train")
    dataset = load_dataset(place)
    assert dataset[0].id == (root / "images/train/b.jpg").as_posix()
    assert dataset[0].name == "b.jpg"
    assert dataset.class_counts.sum() == 3


def test_the_last_images_folder_becomes_labels(tmp_path):
    write(tmp_path / "images/set/images/x.jpg")
    write(tmp_path / "images/set/labels/x.txt", "0 0.5 0.5 0.1 0.1")
    assert load_dataset(data_yaml(tmp_path, train="images/set")).class_counts.sum() == 1


def test_labels_beside_images_without_an_images_folder(tmp_path):
    write(tmp_path / "pictures/x.jpg")
    write(tmp_path / "pictures/x.txt", "0 0.5 0.5 0.1 0.1")
    dataset = load_dataset(data_yaml(tmp_path, train="pictures"))
    assert dataset.class_counts.sum() == 1
    assert dataset.problems == ()


def test_linked_images_folder_uses_the_labels_beside_its_target(tmp_path):
    add(tmp_path / "store", "x.jpg", "0 0.5 0.5 0.1 0.1")
    (tmp_path / "link").mkdir()
    (tmp_path / "link/images").symlink_to(tmp_path / "store/images")
    dataset = load_dataset(data_yaml(tmp_path / "link", train="images"))
    assert (dataset[0].id, dataset.class_counts.sum()) == ("images/x.jpg", 1)


def test_linked_folder_loops_end(root):
    (root / "images/train/loop").symlink_to(root / "images/train")
    assert len(load_dataset(data_yaml(root))) == 3


def test_orphan_labels_and_shared_labels_are_listed(root):
    write(root / "labels/train/ghost.txt", "0 0.5 0.5 0.2 0.2")
    write(root / "images/train/b.png")
    found = {(problem.file.name, problem.what) for problem in load_dataset(data_yaml(root)).problems}
    assert found == {
        ("ghost.txt", "is not the label file of an image in the split"),
        ("b.txt", "is the label file of two images: b.jpg and b.png"),
    }


def test_no_label_at_all_is_listed_once(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        write(tmp_path / "images/train" / name)
    [problem] = load_dataset(data_yaml(tmp_path)).problems
    assert "none of the images (2) has a label file" in problem.what
    assert str(tmp_path / "labels/train/a.txt") in problem.what


def test_bad_lines_carry_file_and_line(root):
    write(root / "labels/train/b.txt", "0 0.5 0.5 0.2 0.2\n7 0.5 0.5 0.2 0.2\n")
    [problem] = load_dataset(data_yaml(root)).problems
    assert (problem.file, problem.line) == (root / "labels/train/b.txt", 2)
    assert str(problem).startswith(f"{root}/labels/train/b.txt:2: class 7")


@pytest.mark.parametrize(
    "entry",
    ["../train/images", "Some-Project-40/train/images", "/home/somebody/set/train/images", "../../train/images"],
)
def test_broken_export_paths_are_mended_and_listed(tmp_path, entry):
    inner = tmp_path / "deep/set"
    write(inner / "train/images/x.jpg")
    write(inner / "train/labels/x.txt", "0 0.5 0.5 0.1 0.1")
    dataset = load_dataset(data_yaml(inner, train=entry, test="../test/images"))
    assert (dataset[0].id, dataset.class_counts.sum()) == ("train/images/x.jpg", 1)
    assert any(f"train: '{entry}' does not exist; used" in what for what in whats(dataset))
    assert any("test: '../test/images' does not exist; looked for" in what for what in whats(dataset))
    assert list(dataset.source.splits) == ["train"]


def test_all_leading_dots_of_a_broken_path_are_taken_off(tmp_path):
    write(tmp_path / "deep/set/a/train/images/x.jpg")
    assert load_dataset(data_yaml(tmp_path / "deep/set", train="../../a/train/images")).image_ids == [
        "a/train/images/x.jpg"
    ]


def test_missing_images_say_what_was_tried_and_how_to_get_them(tmp_path):
    place = data_yaml(tmp_path, train="../nowhere/images", path="gone", get="Ask Ada.")
    with pytest.raises(MissingFileError) as caught:
        load_dataset(place)
    message = str(caught.value)
    for part in ("../nowhere/images", f"{tmp_path}/gone", f"{tmp_path}/nowhere/images", "How to get it: Ask Ada."):
        assert part in message


def test_path_with_environment_variable(root, tmp_path_factory, monkeypatch):
    place = data_yaml(tmp_path_factory.mktemp("yaml"), path="${DETREDUCE_TEST_ROOT:-nowhere}/images/..")
    monkeypatch.delenv("DETREDUCE_TEST_ROOT", raising=False)
    with pytest.raises(MissingFileError):
        load_dataset(place)
    monkeypatch.setenv("DETREDUCE_TEST_ROOT", str(root))
    assert load_dataset(place).image_ids[0] == "images/train/b.jpg"


def test_path_with_unset_variable(root):
    with pytest.raises(InputError, match="environment variable that is not set"):
        load_dataset(data_yaml(root, path="${DETREDUCE_SURELY_UNSET}/x"))


def test_path_relative_to_the_working_folder(root, tmp_path_factory, monkeypatch):
    place = data_yaml(tmp_path_factory.mktemp("yaml"), path="images", train="train")
    monkeypatch.chdir(root)
    assert len(load_dataset(place)) == 3


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({0: "a", 1: "b"}, ("a", "b")),
        ({"1": "b", "0": "a"}, ("a", "b")),
        ([1, True], ("1", "True")),
        (None, ("class_0", "class_1")),
    ],
)
def test_names(root, names, expected):
    assert load_dataset(data_yaml(root, names=names, nc=2)).class_names == expected


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"nc": 3}, "'nc' is 3, but 'names' has 2 classes"),
        ({"nc": "many"}, "'nc' must be the number of classes, not 'many'"),
        ({"names": {1: "a", 2: "b"}}, "Number them 0-1"),
        ({"names": {"cat": 0}}, "keys of 'names' must be class numbers"),
        ({"names": []}, "'names' must be a list of class names"),
        ({"names": None}, "'names' is missing"),
        ({"train": None}, "no split"),
        ({"train": {"a": 1}}, "'train' must be a folder"),
        ({"train": "labels/train"}, "no images in"),
        ({"train": "images/train/notes.md"}, "notes.md cannot be used"),
        ({"kpt_shape": [17]}, "'kpt_shape' must be"),
        ({"path": 3}, "'path' must be the path of a folder, not 3"),
        ({"format": "yoloo"}, "unknown format 'yoloo'.*Did you mean 'yolo'"),
        ({"train": "x" * 5000}, "do not exist"),
        ({"train": "a\0b"}, "do not exist"),
    ],
)
def test_data_yaml_that_cannot_be_used(root, values, word):
    with pytest.raises(InputError, match=word):
        load_dataset(data_yaml(root, **values))


@pytest.mark.parametrize(
    ("text", "word"),
    [("names: [a\ntrain: x", r"data.yaml:2:\d+: not valid YAML"), ("hello", "no keys"), ("", "no keys")],
)
def test_not_yaml(tmp_path, text, word):
    with pytest.raises(InputError, match=word):
        load_dataset(write(tmp_path / "data.yaml", text))


def test_not_utf8_yaml_is_read_and_listed(root):
    place = data_yaml(root)
    place.write_bytes(b"# caf\xe9\n" + place.read_bytes())
    assert whats(load_dataset(place)) == ["not UTF-8: read as Latin-1"]


def test_unreadable_folder(root, monkeypatch):
    def refuse(place):
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"images/train: cannot be read \(Permission denied\)"):
        load_dataset(data_yaml(root))


def test_nothing_is_written_to_the_source(root):
    place = data_yaml(root)
    before = sorted((path, path.stat().st_mtime_ns) for path in root.rglob("*"))
    load_dataset(place)
    assert sorted((path, path.stat().st_mtime_ns) for path in root.rglob("*")) == before


class Shuffled:
    """Return the entries of os.scandir in another order."""

    def __init__(self, entries, order):
        self.entries = order(list(entries))

    def __enter__(self):
        return iter(self.entries)

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize("order", [sorted, lambda e: e[::-1], lambda e: e[1::2] + e[::2]])
def test_order_does_not_depend_on_the_file_system(root, monkeypatch, order):
    for name in "zqxywm":
        add(root, f"train/{name}/{name}.jpg", "0 0.5 0.5 0.1 0.1")
    (root / "images/train/alias").symlink_to(root / "images/train/m")
    place = data_yaml(root)
    expected = load_dataset(place)
    real = os.scandir
    key = (lambda e: sorted(e, key=lambda x: x.name)) if order is sorted else order
    monkeypatch.setattr(os, "scandir", lambda folder: Shuffled(real(folder), key))
    again = load_dataset(place)
    assert again.image_ids == expected.image_ids
    assert again.content_hash == expected.content_hash
    assert again.problems == expected.problems


unit = st.floats(0.01, 1)
box = st.tuples(st.integers(0, 3), unit, unit, unit, unit)
stems = st.text("abcXYZ01-_ é.", min_size=1, max_size=6).filter(lambda s: not s.startswith(".") and s == s.strip())


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["", "s/", "s/t/"]), stems), st.lists(box, max_size=4), min_size=1, max_size=6
    )
)
def test_round_trip(tmp_path_factory, content):
    root = tmp_path_factory.mktemp("yolo")
    expected = {}
    for (folder, stem), boxes in content.items():
        name = f"{folder}{stem}.jpg"
        write(root / "images" / name)
        write(root / "labels" / f"{folder}{stem}.txt", "\n".join(" ".join(map(repr, row)) for row in boxes))
        expected[name] = boxes
    dataset = load_dataset(data_yaml(root, train="images", names=list("abcd")))
    assert [record.name for record in dataset] == sorted(expected)
    for record in dataset:
        assert record.class_ids.tolist() == [row[0] for row in expected[record.name]]
        np.testing.assert_array_equal(record.boxes, np.array([row[1:] for row in expected[record.name]]).reshape(-1, 4))
