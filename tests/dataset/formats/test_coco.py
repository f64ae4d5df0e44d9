"""COCO JSONs: categories, crowds, bad entries, where images and other splits are found."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.dataset import load_dataset
from detreduce.dataset.formats.coco.licences import licences_in
from detreduce.errors import InputError, MissingFileError

CATEGORIES = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}, {"id": 90, "name": "dog", "supercategory": "x"}]


def image(key: Any, name: str, **extra: Any) -> dict[str, Any]:
    return {"id": key, "file_name": name, "width": 100, "height": 50, **extra}


def note(key: Any, image_id: Any, category: Any, bbox: Any, **extra: Any) -> dict[str, Any]:
    return {"id": key, "image_id": image_id, "category_id": category, "bbox": bbox, **extra}


def write(file: Path, content: Any, images: Path | None = None) -> Path:
    """Write a JSON (a text stays unchanged), and an empty file for each of its images."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    for entry in content["images"] if isinstance(content, dict) and images is not None else ():
        path = images / entry["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return file


def coco(*images: Any, notes: Any = (), categories: Any = CATEGORIES, **extra: Any) -> dict[str, Any]:
    return {"images": list(images), "annotations": list(notes), "categories": categories, **extra}


def load(tmp_path: Path, content: Any, **arguments: Any):
    return load_dataset(write(tmp_path / "set.json", content, tmp_path), **arguments)


def whats(dataset) -> list[str]:
    return [problem.what for problem in dataset.problems]


def test_categories_by_id_with_gaps_and_equal_names(tmp_path):
    content = coco(
        image(5, "b.jpg"),
        image(2, "sub/a.jpg", license=1),
        image(9, "c.jpg"),
        notes=[
            note(1, 2, 90, [1, 2, 3.5, 4], segmentation=[[1, 2, 3, 4, 5, 6]], attributes={"x": 1}),
            note(2, 5, 3, [0, 0, 10, 10]),
            note(3, 5, 7, [0, 0, 99, 49], iscrowd=1, segmentation={"counts": [1], "size": [50, 100]}),
        ],
        info={"year": 2026},
    )
    dataset = load(tmp_path, content)
    assert dataset.class_keys == (3, 7, 90)
    assert dataset.class_names == ("cat", "dog", "dog")
    assert [(record.id, record.name) for record in dataset] == [(5, "b.jpg"), (9, "c.jpg"), (2, "sub/a.jpg")]
    assert dataset.class_counts.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert dataset[0].crowd.tolist() == [False, True]
    assert dataset[2].boxes.tolist() == [[1, 2, 3.5, 4]]
    assert dataset[0].size == (100, 50)
    assert dataset.problems == ()
    np.testing.assert_allclose(dataset.boxes_xyxyn[-1], [0.01, 0.04, 0.045, 0.12])


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        (note(8, 77, 3, [0, 0, 1, 1]), "image_id 77"),
        (note(8, None, 3, [0, 0, 1, 1]), "image_id None"),
        (note(8, True, 3, [0, 0, 1, 1]), "image_id True"),
        (note(8, 1, 4, [0, 0, 1, 1]), "category_id 4"),
        (note(8, 1, [3], [0, 0, 1, 1]), "category_id [3]"),
        (note(8, 1, 3, None), "bbox is not four finite numbers"),
        (note(8, 1, 3, [0, 0, 1]), "bbox is not four finite numbers"),
        (note(8, 1, 3, [0, 0, float("nan"), 1]), "bbox is not four finite numbers"),
        (note(8, 1, 3, [0, 0, 10**400, 1]), "bbox is not four finite numbers"),
        (note(8, 1, 3, ["a", 0, 1, 1]), "bbox is not four finite numbers"),
        (note(8, 1, 3, [5, 5, -1, 1]), "negative box size"),
    ],
)
def test_unusable_annotations_are_left_out_and_named(tmp_path, entry, word):
    dataset = load(tmp_path, coco(image(1, "a.jpg"), notes=[entry, note(9, 1, 3, [0, 0, 1, 1])]))
    assert dataset.class_counts.sum() == 1
    [what] = whats(dataset)
    assert what.startswith("annotation 8: ")
    assert word in what


@pytest.mark.parametrize(
    ("bbox", "word"),
    [
        ([5, 5, 0, 1], "zero-area box"),
        ([90, 5, 20, 1], "reaches past the image (100 x 50)"),
        ([-5, 5, 20, 1], "reaches past the image"),
        ([0, 0, 1, 1], "identical to annotation 9"),
    ],
)
def test_doubtful_boxes_are_kept_and_named(tmp_path, bbox, word):
    dataset = load(tmp_path, coco(image(1, "a.jpg"), notes=[note(9, 1, 3, [0, 0, 1, 1]), note(8, 1, 3, bbox)]))
    assert dataset.class_counts.sum() == 2
    [what] = whats(dataset)
    assert what.startswith("annotation 8: image a.jpg: ")
    assert word in what


def test_rounding_past_the_edge_is_no_problem(tmp_path):
    assert load(tmp_path, coco(image(1, "a.jpg"), notes=[note(8, 1, 3, [-0.5, 0, 101.2, 50])])).problems == ()


def test_ids_may_be_text_or_whole_floats(tmp_path):
    content = coco(
        image("x", "a.jpg"), image(1.0, "b.jpg"), notes=[note(1, "x", 3, [0, 0, 1, 1]), note(2, 1, 3.0, [0, 0, 1, 1])]
    )
    dataset = load(tmp_path, content)
    assert dataset.image_ids == ["x", 1]
    assert dataset.class_counts.sum() == 2


def test_missing_images_are_left_out_and_named(tmp_path):
    content = coco(image(1, "a.jpg"), image(2, "b.jpg"), notes=[note(1, 2, 3, [0, 0, 1, 1])])
    place = write(tmp_path / "set.json", content, tmp_path)
    (tmp_path / "b.jpg").unlink()
    dataset = load_dataset(place)
    assert dataset.image_ids == [1]
    assert dataset.problems[0].file == tmp_path / "b.jpg"
    assert whats(dataset) == ["image 2 does not exist; left out with its 1 box"]


def test_no_image_there_says_what_was_tried(tmp_path):
    place = write(tmp_path / "annotations/instances_minitrain2017.json", coco(image(1, "a.jpg")))
    with pytest.raises(MissingFileError) as caught:
        load_dataset(place)
    place = write(tmp_path / "annotations/instances_train2017.json", coco(image(1, "a.jpg")))
    with pytest.raises(MissingFileError) as caught:
        load_dataset(place)
    message = str(caught.value)
    for part in (tmp_path / "annotations", tmp_path / "train2017", tmp_path / "images/train2017", "images="):
        assert str(part) in message


def test_two_ids_of_one_file_are_named(tmp_path):
    dataset = load(tmp_path, coco(image(2, "a.jpg"), image(1, "a.jpg")))
    assert dataset.image_ids == [1, 2]
    assert whats(dataset) == ["a.jpg: listed twice, as images 2 and 1"]


def test_unknown_size_is_named(tmp_path):
    dataset = load(tmp_path, coco({"id": 1, "file_name": "a.jpg", "width": 0}))
    assert (dataset[0].width, dataset[0].height) == (None, None)
    assert whats(dataset) == ["image 1 (a.jpg) has no width and height"]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ('{"images": [\n{"id": 1,}]}', r"set.json:2:\d+: not valid JSON"),
        ('{"images": [1', "not valid JSON"),
        ("", "not valid JSON"),
        ("[" * 100_000, "nested too deeply|not valid JSON"),
        ("[1]", "COCO"),
        ({"info": 1}, "not COCO"),
        ({"images": [], "annotations": {}}, "'annotations'"),
        ({"images": [], "annotations": {"a": 1}}, "'annotations'"),
        (coco(image(1, "a.jpg"), image(1, "b.jpg")), "two images have the id 1: 'a.jpg' and 'b.jpg'"),
        (coco(image(None, "a.jpg")), "an image has no id"),
        (coco(image(1, "a.jpg"), categories=[{"name": "x"}]), "a category has no usable id"),
        (coco(image(1, "a.jpg"), categories=[CATEGORIES[0]] * 2), "two categories have the id 7"),
        (coco(image(1, "a.jpg"), notes=[note(1, 1, 3, [0, 0, 1, 1])], categories=[]), "no 'categories'"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, word):
    with pytest.raises(InputError, match=word):
        load_dataset(write(tmp_path / "set.json", content))


@pytest.mark.parametrize("name", ["../a.jpg", "sub/../../a.jpg", "..\\a.jpg", "/etc/passwd", "C:\\a.jpg"])
def test_names_outside_the_images_folder_are_left_out(tmp_path, name):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/b.jpg").touch()
    place = write(tmp_path / "in/set.json", coco(image(1, name), image(2, "b.jpg")))
    dataset = load_dataset(place)
    assert dataset.image_ids == [2]
    assert [p.what for p in dataset.problems] == [
        f"image 1: the file_name {name!r} is outside the images folder; left out"
    ]
    with pytest.raises(MissingFileError, match=r"none of its images .*Looked in: .*images="):
        load_dataset(write(tmp_path / "in/set.json", coco(image(1, name))))


def test_bom_and_not_utf8(tmp_path):
    place = write(tmp_path / "set.json", coco(image(1, "a.jpg")), tmp_path)
    place.write_bytes(b"\xef\xbb\xbf" + place.read_bytes())
    assert len(load_dataset(place)) == 1
    place.write_bytes(b'{"images": ["\xe9"]}')
    with pytest.raises(InputError, match="not UTF-8"):
        load_dataset(place)


def test_json_without_annotations_is_unlabelled(tmp_path):
    dataset = load(tmp_path, {"images": [image(1, "a.jpg")], "categories": CATEGORIES})
    assert (dataset.labelled, len(dataset)) == (False, 1)


def roboflow(root: Path, *folders: str) -> None:
    for number, folder in enumerate(folders):
        write(root / folder / "_annotations.coco.json", coco(image(number, f"{folder}.jpg")), root / folder)


def test_roboflow_layout(tmp_path):
    roboflow(tmp_path, "train", "valid", "test")
    for place in (tmp_path, tmp_path / "train", tmp_path / "train/_annotations.coco.json"):
        dataset = load_dataset(place)
        assert (dataset.split, dataset[0].name) == ("train", "train.jpg")
        assert list(dataset.source.splits) == ["train", "val", "test"]
        assert load_dataset(place, "valid")[0].name == "valid.jpg"
    assert dataset.source.root == tmp_path
    assert dataset.source.splits["val"].annotations == tmp_path / "valid/_annotations.coco.json"
    # the name of a JSON gives its split
    assert load_dataset(tmp_path / "valid/_annotations.coco.json").split == "val"
    with pytest.raises(InputError, match=r"'extra'.*: train, val, test"):
        load_dataset(tmp_path, "extra")


@pytest.mark.parametrize("folder", ["{}2017", "images/{}2017"])
def test_official_layout(tmp_path, folder):
    for number, split in enumerate(("train", "val")):
        content = coco(image(number, f"{split}.jpg"))
        write(tmp_path / f"annotations/instances_{split}2017.json", content, tmp_path / folder.format(split))
    write(tmp_path / "annotations/captions_val2017.json", coco(image(1, "val.jpg")))
    dataset = load_dataset(tmp_path / "annotations/instances_train2017.json")
    assert list(dataset.source.splits) == ["train", "val"]
    assert dataset[0].path == tmp_path / folder.format("train") / "train.jpg"
    assert load_dataset(tmp_path, "val")[0].name == "val.jpg"
    assert load_dataset(tmp_path / "annotations/instances_val2017.json").split == "val"


def test_images_folder_given(tmp_path):
    place = write(tmp_path / "notes/set.json", coco(image(1, "a.jpg")), tmp_path / "pictures")
    assert load_dataset(place, images=tmp_path / "pictures")[0].path == tmp_path / "pictures/a.jpg"
    with pytest.raises(MissingFileError, match="pictured: the images folder"):
        load_dataset(place, images=tmp_path / "pictured")


def test_dataset_yaml(tmp_path):
    write(tmp_path / "data/notes/one.json", coco(image(1, "a.jpg")), tmp_path / "data/pictures")
    write(tmp_path / "data/two.json", coco(image(2, "b.jpg")), tmp_path / "data")
    text = "format: coco\npath: data\ntrain: {annotations: notes/one.json, images: pictures}\nvalid: two.json\n"
    place = write(tmp_path / "set.yaml", text)
    assert load_dataset(place).image_ids == [1]
    assert load_dataset(place, "val").image_ids == [2]
    assert load_dataset(place).source.path == place
    with pytest.raises(InputError, match=r"'train' must be \{annotations"):
        load_dataset(write(tmp_path / "bad.yaml", "format: coco\npath: data\ntrain: {images: pictures}\n"))
    with pytest.raises(MissingFileError, match=r"folder does not exist.*How to get it: Ask\."):
        load_dataset(write(tmp_path / "gone.yaml", "format: coco\npath: gone\ntrain: x.json\nget: Ask."))
    with pytest.raises(MissingFileError, match=r"gone.json: the annotations of 'train'"):
        load_dataset(write(tmp_path / "gone.yaml", "format: coco\npath: data\ntrain: gone.json"))


side = st.floats(0, 500, allow_nan=False)
box = st.tuples(st.sampled_from([3, 7, 90]), side, side, side, side, st.booleans())


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.integers(0, 10**12), st.lists(box, max_size=4), min_size=1, max_size=6), st.randoms())
def test_round_trip_in_any_order(tmp_path_factory, content, shuffler: random.Random):
    folder = tmp_path_factory.mktemp("coco")
    images = [image(key, f"{key % 7}/{key}.jpg", width=1000, height=1000) for key in content]
    notes = [
        note(number, key, row[0], list(row[1:5]), iscrowd=int(row[5]))
        for number, (key, row) in enumerate((key, row) for key, rows in content.items() for row in rows)
    ]
    shuffler.shuffle(images)
    dataset = load(folder, coco(*images, notes=notes))
    assert [record.name for record in dataset] == sorted(f"{key % 7}/{key}.jpg" for key in content)
    for record in dataset:
        rows = content[record.id]
        np.testing.assert_array_equal(record.boxes, np.array([row[1:5] for row in rows]).reshape(-1, 4))
        assert [dataset.class_keys[c] for c in record.class_ids] == [row[0] for row in rows]
        assert record.crowd.tolist() == [row[5] for row in rows]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["id", "a.jpg", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "file_name", "image_id", "category_id", "bbox", "name"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(junk, max_size=3), st.lists(junk, max_size=3), st.lists(junk, max_size=3))
def test_junk_ends_in_problems_or_an_input_error(tmp_path_factory, images, notes, categories):
    folder = tmp_path_factory.mktemp("junk")
    (folder / "a.jpg").touch()
    (folder / "b.jpg").touch()
    content = coco(image(10**6, "b.jpg"), *images, notes=notes, categories=categories)
    try:
        dataset = load_dataset(write(folder / "set.json", content))
    except InputError as error:
        assert str(folder) in str(error)
    else:
        assert 10**6 in dataset.image_ids


def test_polygons_and_keypoints_are_not_kept_in_memory(tmp_path: Path) -> None:
    import tracemalloc

    polygon = [0.5] * 2000
    shapes = {"segmentation": [polygon], "keypoints": polygon}
    boxes = [note(number, 1, 7, [number % 9, 2, 3, 4], **shapes) for number in range(300)]
    content = {"images": [image(1, "a.png")], "annotations": boxes, "categories": CATEGORIES}
    file = write(tmp_path / "a.json", content)
    (tmp_path / "a.png").touch()
    tracemalloc.start()
    assert len(load_dataset(file)[0].boxes) == 300
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # the text and its bytes; the numbers alone would be six times as much
    assert peak < 3 * file.stat().st_size


@pytest.mark.parametrize("order", [("licenses", "images", "annotations"), ("images", "annotations", "licenses")])
@pytest.mark.parametrize("stated", [False, True])
def test_licences_are_found_in_any_order_of_keys(tmp_path: Path, order: tuple[str, ...], stated: bool) -> None:
    entry = image(1, "a.png", **({"license": 7} if stated else {}))
    content = {"licenses": [{"id": 7, "name": "free"}], "images": [entry], "annotations": [{"id": 1}]}
    (tmp_path / "a.json").write_text(json.dumps({key: content[key] for key in order}))
    assert licences_in(tmp_path / "a.json") == ({1: "free"} if stated else {})
