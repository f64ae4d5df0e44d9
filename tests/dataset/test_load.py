"""`load_dataset`: the format of a path, folders without labels, and the YAML of the demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from detreduce.dataset import demo, load_dataset, load_split
from detreduce.errors import InputError, MissingFileError

REPOSITORY = Path(__file__).resolve().parent.parent.parent


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_folder_of_images(tmp_path):
    touch(tmp_path / "s.jpg", tmp_path / "b/a.PNG", tmp_path / ".trash/x.jpg", tmp_path / "notes.txt")
    dataset = load_dataset(str(tmp_path))
    assert dataset.image_ids == [record.name for record in dataset] == ["b/a.PNG", "s.jpg"]
    assert (dataset.labelled, dataset.class_names, dataset.class_counts.shape) == (False, (), (2, 0))
    assert (dataset.source.format, dataset.problems) == ("images", ())
    with pytest.raises(InputError, match=r"'val'.*: train"):
        load_dataset(tmp_path, "val")


def test_folder_of_images_tells_of_labels_that_it_does_not_read(tmp_path):
    touch(tmp_path / "images/a.jpg", tmp_path / "labels/a.txt", tmp_path / "images/a.xml")
    found = [(problem.file.name, problem.what) for problem in load_dataset(tmp_path / "images").problems]
    assert [name for name, _ in found] == ["a.txt", "a.xml"]
    assert all("not read here" in what for _, what in found)


def test_images_yaml(tmp_path):
    touch(tmp_path / "pool/a.jpg", tmp_path / "late/b.jpg")
    place = tmp_path / "set.yaml"
    place.write_text("format: images\ntrain: pool\nval: late\n")
    assert load_dataset(place, "val").image_ids == ["late/b.jpg"]
    place.write_text("format: images\n")
    assert load_dataset(place).image_ids == ["late/b.jpg", "pool/a.jpg"]
    place.write_text("format: images\ntrain: gone\nget: Ask Ada.\n")
    with pytest.raises(MissingFileError, match=r"images of 'train' do not exist\. How to get it: Ask Ada\."):
        load_dataset(place)


def test_demo_yaml_is_made_and_loaded(tmp_path, monkeypatch):
    asked = []

    def made(parameters):
        asked.append(dict(parameters))
        touch(tmp_path / "made/images/a.jpg")
        (tmp_path / "made/data.yaml").write_text("train: images\nnames: [zero]\n")
        return tmp_path / "made/data.yaml"

    monkeypatch.setattr(demo, "demo_data_yaml", made)
    place = tmp_path / "demo.yaml"
    place.write_text("format: demo\nmake: {scenes: 3}\n")
    assert load_dataset(place).source.path == tmp_path / "made/data.yaml"
    assert asked == [{"scenes": 3}]
    place.write_text("format: demo\nmake: 3\n")
    with pytest.raises(InputError, match=r"demo\.yaml: 'make'.*3"):
        load_dataset(place)


def test_what_is_no_dataset(tmp_path):
    touch(tmp_path / "empty/x.md", tmp_path / "data.csv")
    with pytest.raises(MissingFileError, match="nothing"):
        load_dataset(tmp_path / "nothing")
    with pytest.raises(MissingFileError):
        load_dataset("x" * 5000)
    with pytest.raises(InputError, match=r"data\.csv"):
        load_dataset(tmp_path / "data.csv")
    with pytest.raises(InputError, match="empty"):
        load_dataset(tmp_path / "empty")
    with pytest.raises(InputError, match=r"images=.*\.json.*\.xml"):
        load_dataset(tmp_path / "empty", images=tmp_path)


@pytest.mark.parametrize("name", ["aquarium", "bccd", "wheelchair", "datasets/highway5.yaml", "datasets/bccd.yaml"])
def test_load_split_is_load_dataset_of_that_split(shared, name):
    place = REPOSITORY / name if "/" in name else shared / "data" / name
    expected = load_dataset(place, "test")
    again = load_split(load_dataset(place).source, "test")
    assert (again.content_hash, again.split, again.source) == (expected.content_hash, "test", expected.source)


def test_load_split_knows_the_images_folder_that_was_given(tmp_path):
    touch(tmp_path / "pictures/a.jpg")
    for split in ("train", "val"):
        (tmp_path / f"notes_{split}.json").write_text('{"images": [{"id": 1, "file_name": "a.jpg"}]}')
    dataset = load_dataset(tmp_path / "notes_train.json", images=tmp_path / "pictures")
    assert load_split(dataset.source, "validation")[0].path == tmp_path / "pictures/a.jpg"
    with pytest.raises(InputError, match=r"'test'.*: train, val"):
        load_split(dataset.source, "test")
