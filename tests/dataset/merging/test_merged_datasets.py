"""A merge has all images, boxes and classes of its datasets, changes no source, and says what it changed."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rounds_made import all_shown, by_pycocotools, by_ultralytics, make_coco, make_yolo, picture, shown, wanted

import detreduce as dr
from detreduce.dataset import load_dataset
from detreduce.dataset.merging.same_labels import _alike, _coco_object
from detreduce.dataset.writing.subset_warnings import SubsetWarning
from detreduce.errors import InputError

RUNS = itertools.count()
CLASSES = ("cat", "dog: x", "été")
BOXES = st.lists(
    st.tuples(st.sampled_from(CLASSES), st.integers(0, 30), st.integers(0, 14), st.integers(2, 30), st.integers(2, 16)),
    max_size=3,
    unique=True,
)
LOOSE = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def rounds(draw: st.DrawFn) -> list[dict[str, dict[int, list]]]:
    """Return two or three datasets. An image of several datasets has one split and one set of boxes."""
    labels = {number: draw(BOXES) for number in range(6)}
    split_of = {number: draw(st.sampled_from(["train", "val"])) for number in range(6)}
    datasets = []
    for _ in range(draw(st.integers(2, 3))):
        numbers = draw(st.sets(st.integers(0, 5), min_size=1))
        content: dict[str, dict[int, list]] = {}
        for number in sorted(numbers):
            content.setdefault(split_of[number], {})[number] = labels[number]
        datasets.append(content)
    return datasets


def union(datasets: list[dict[str, dict[int, list]]]) -> dict[str, dict[int, list]]:
    merged: dict[str, dict[int, list]] = {}
    for content in datasets:
        for split, images in content.items():
            merged.setdefault(split, {}).update(images)
    return merged


def quietly(datasets: list[Path], output: Path, **options: object) -> dr.MergeResult:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SubsetWarning)
        return dr.merge(datasets, output, **options)


def state(root: Path) -> dict[str, tuple[bytes, int]]:
    return {str(file): (file.read_bytes(), file.stat().st_mtime_ns) for file in root.rglob("*") if file.is_file()}


@LOOSE
@given(
    datasets=rounds(),
    orders=st.lists(st.permutations(CLASSES), min_size=3, max_size=3),
    makers=st.lists(st.sampled_from([make_yolo, make_coco]), min_size=3, max_size=3),
    one_name=st.booleans(),
)
def test_a_merge_is_the_union_in_every_order(
    tmp_path: Path,
    datasets: list[dict[str, dict[int, list]]],
    orders: list[list[str]],
    makers: list[Callable[..., Path]],
    one_name: bool,
) -> None:
    root = tmp_path / str(next(RUNS))
    names = ["same{}.png" if one_name else f"{number}-{{}}.png" for number in range(3)]
    paths = [
        make(root / f"round{number}", content, list(order), name)
        for number, (make, content, order, name) in enumerate(zip(makers, datasets, orders, names, strict=False))
    ]
    before = state(root)
    merged = quietly(paths, root / "all")
    back = quietly(paths[::-1], root / "back")
    truth = wanted(union(datasets))
    for result in (merged, back):
        found = {split: one for split, one in all_shown(result.output).items() if split in truth}
        assert found == truth
        assert result.images == sum(map(len, truth.values()))
        assert result.boxes == sum(len(boxes) for one in truth.values() for boxes in one.values())
        assert set(result.class_names) == set(CLASSES)
        assert not result.conflicts
        for split in truth:
            names_of = {image: sorted(name for name, _ in boxes) for image, boxes in truth[split].items()}
            if result.format == "yolo":
                assert by_ultralytics(result.output / "data.yaml", split) == names_of
            else:
                assert by_pycocotools(result.output, split) == names_of
    assert {key: value for key, value in state(root).items() if "/round" in key} == before


def test_the_first_dataset_keeps_its_classes_and_names(tmp_path: Path) -> None:
    one = make_yolo(tmp_path / "one", {"train": {1: [("cat", 0, 0, 8, 8)]}}, ["cat", "dog"], "a{}.png")
    two = make_yolo(tmp_path / "two", {"train": {2: [("bird", 0, 0, 8, 8)]}}, ["bird", "cat"], "a1.png")
    result = quietly([one, two], tmp_path / "all")
    assert result.class_names == ("cat", "dog", "bird")
    assert [(str(item.image), item.new_name) for item in result.renamed] == [
        (str(tmp_path / "two/images/train/a1.png"), "a1-2.png")
    ]
    assert sorted(file.name for file in (tmp_path / "all/images/train").iterdir()) == ["a1-2.png", "a1.png"]
    assert json.loads((tmp_path / "all/merge.json").read_text())["renamed"][0]["new_name"] == "a1-2.png"
    with pytest.raises(InputError, match="1 image would be renamed"):
        quietly([one, two], tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict").exists()


def test_lines_of_labels_keep_everything_but_their_class(tmp_path: Path) -> None:
    one = make_yolo(tmp_path / "one", {"train": {1: []}, "val": {3: []}}, ["cat", "dog"])
    two = make_yolo(tmp_path / "two", {"train": {2: []}}, ["dog", "cat"])
    text = b"  0 0.10 0.1 0.9 0.1 0.9 0.90 \r\n1.0\t0.1 0.1 0.5 0.1 0.5 0.50\n\n"
    (tmp_path / "two/labels/train/2.txt").write_bytes(text)
    result = quietly([one, two], tmp_path / "all")
    changed = (result.output / "labels/train/2.txt").read_bytes()
    assert changed == b"  1 0.10 0.1 0.9 0.1 0.9 0.90 \r\n0\t0.1 0.1 0.5 0.1 0.5 0.50\n\n"
    assert yaml.safe_load((result.output / "data.yaml").read_text())["names"] == {0: "cat", 1: "dog"}


def test_identical_images_with_other_labels_are_told(tmp_path: Path) -> None:
    one = make_yolo(tmp_path / "one", {"val": {1: [("cat", 0, 0, 8, 8)], 4: []}}, ["cat"])
    two = make_yolo(tmp_path / "two", {"train": {1: [("cat", 2, 2, 20, 20)], 4: [], 5: []}}, ["cat"], "b{}.png")
    three = make_yolo(tmp_path / "three", {"train": {1: [], 6: []}}, ["cat"], "c{}.png")
    result = quietly([one, two, three], tmp_path / "all")
    assert result.splits == {"train": 2, "val": 2}
    conflicts = [(item.dropped.name, item.boxes, item.dropped_boxes, item.labels_of.name) for item in result.conflicts]
    # the last dataset that has boxes: a later dataset without boxes takes no boxes away
    assert sorted(conflicts) == [("b1.png", 1, 1, "b1.png"), ("c1.png", 1, 0, "b1.png")]
    assert sorted(item.dropped.name for item in result.repeated if not item.conflict) == ["b4.png"]
    assert shown(load_dataset(result.output, "val"))[picture(1)] == [("cat", (2 / 64, 2 / 32, 22 / 64, 22 / 32))]
    with pytest.raises(InputError, match="identical images with different labels"):
        quietly([one, two, three], tmp_path / "strict", strict=True)


def test_a_later_polygon_around_the_same_box_is_written(tmp_path: Path) -> None:
    sets = [make_yolo(tmp_path / name, {"train": {1: [], 2: []}}, ["cat"]) for name in ("one", "two")]
    lines = [b"0 0.2 0.2 0.6 0.2 0.6 0.8 0.2 0.8\n", b"0 0.2 0.2 0.6 0.5 0.6 0.8 0.2 0.8\n"]
    for name, line in zip(("one", "two"), lines, strict=True):
        (tmp_path / name / "labels/train/1.txt").write_bytes(line)
    result = quietly(sets, tmp_path / "all")
    assert [item.labels_of.name for item in result.conflicts] == ["1.png"]
    assert (result.output / "labels/train/1.txt").read_bytes() == lines[1]
    with pytest.raises(InputError, match="identical images with different labels"):
        quietly(sets, tmp_path / "strict", strict=True)


def pose(values: str) -> bytes:
    return f"0 0.5 0.5 0.2 0.2 {values}\n".encode()


@pytest.mark.parametrize(
    ("ones", "others", "conflict"),
    [
        (pose("0.5 0.5 2"), pose("0.5 0.5 2"), False),
        (pose("0.5 0.5 2"), pose("0.5002 0.5 2"), False),
        (pose("0.5 0.5 2"), pose("0.5 0.5 1"), True),
        (pose("0.5 0.5 2"), pose("0.55 0.5 2"), True),
        # the corners differ by 0.0009, and the width by 0.0018
        (pose("0.5 0.5 2"), b"0 0.5 0.5 0.2018 0.2 0.5 0.5 2\n", False),
        (pose("0.5 0.5 2") + pose("0.4 0.4 2"), pose("0.4 0.4 2") + pose("0.5 0.5 2"), False),
    ],
)
def test_keypoints_are_compared(ones: bytes, others: bytes, conflict: bool, tmp_path: Path) -> None:
    sets = [make_yolo(tmp_path / name, {"train": {1: [], 2: []}}, ["cat"]) for name in ("one", "two")]
    for file, lines in zip(sets, (ones, others), strict=True):
        file.write_text(f"{file.read_text()}kpt_shape: [1, 3]\n")
        (file.parent / "labels/train/1.txt").write_bytes(lines)
    assert bool(quietly(sets, tmp_path / "all").conflicts) == conflict


@pytest.mark.parametrize(
    ("change", "conflict"),
    [
        ({}, False),
        ({"id": 99, "area": 1, "attributes": {}, "keypoints": None}, False),
        ({"segmentation": [[0, 0, 8.001, 0, 8, 8]]}, False),
        ({"segmentation": [[0, 0, 8, 0, 4, 8]]}, True),
        ({"segmentation": [[0, 0, 8, 0, 8, 8], [1, 1, 2, 1, 2, 2]]}, True),
        ({"segmentation": {"size": [32, 64], "counts": "abc"}}, True),
        ({"keypoints": [1, 2, 2], "num_keypoints": 1}, True),
        ({"attributes": {"occluded": True}}, True),
        ({"image_id": "2", "category_id": 3.0}, False),
        ({"attributes": {"number": 10**400}}, True),
        ({"segmentation": [[0, 0, 10**400, 0, 8, 8]]}, True),
        # the corners differ by 0.0008 of the image, and the width by 0.0016
        ({"bbox": [0.05, 0, 7.9, 8]}, False),
    ],
)
def test_polygons_and_attributes_of_coco_are_compared(
    change: dict[str, object], conflict: bool, tmp_path: Path
) -> None:
    sets = [make_coco(tmp_path / name, {"train": {1: [("cat", 0, 0, 8, 8)]}}, ["cat"]) for name in ("one", "two")]
    content = json.loads((tmp_path / "two/train.json").read_text())
    content["annotations"][0] |= change
    (tmp_path / "two/train.json").write_text(json.dumps(content))
    assert bool(quietly(sets, tmp_path / "all").conflicts) == conflict


@pytest.mark.parametrize(
    ("ones", "others", "conflict"),
    [
        ({"attributes": {"track": 3}}, {"attributes": {"track": 4}}, True),
        ({"attributes": {"track": 3}}, {"attributes": {"track": 10**400}}, True),
        ({"keypoints": [1, 2, 2]}, {"keypoints": [1, 2, 1]}, True),
        ({"keypoints": [1, 2, 2]}, {"keypoints": [2, 2, 2]}, False),
        ({"segmentation": {"counts": [1, 3]}}, {"segmentation": {"counts": [2, 2]}}, True),
    ],
)
def test_only_places_of_large_coco_images_may_differ(
    ones: dict[str, object], others: dict[str, object], conflict: bool
) -> None:
    # in an image of 1,920 pixels, equal places may differ by more than one pixel
    found = [_coco_object("cat", {"bbox": [0, 0, 8, 8]} | entry, 1.92) for entry in (ones, others)]
    assert _alike(*found) is not conflict


def test_an_annotation_with_an_invalid_category_is_not_compared(tmp_path: Path) -> None:
    sets = [make_coco(tmp_path / name, {"train": {1: [("cat", 0, 0, 8, 8)]}}, ["cat"]) for name in ("one", "two")]
    content = json.loads((tmp_path / "two/train.json").read_text())
    content["annotations"].append({**content["annotations"][0], "id": 9, "category_id": [1]})
    (tmp_path / "two/train.json").write_text(json.dumps(content))
    assert not quietly(sets, tmp_path / "all").conflicts


def test_copies_within_a_dataset_stay(tmp_path: Path) -> None:
    one = make_yolo(tmp_path / "one", {"train": {1: []}}, ["cat"])
    for place, suffix in (("images", "png"), ("labels", "txt")):
        file = tmp_path / "one" / place / "train" / f"1.{suffix}"
        file.with_name(f"copy.{suffix}").write_bytes(file.read_bytes())
    two = make_yolo(tmp_path / "two", {"train": {2: []}}, ["cat"])
    assert quietly([one, two], tmp_path / "all").images == 3


def test_coco_keeps_fields_and_ids(tmp_path: Path) -> None:
    boxes = [("cat", 0, 0, 8, 8), ("dog", 3, 3, 9, 9)]
    one = make_coco(tmp_path / "one", {"train": {1: boxes, 2: []}}, ["cat", "dog"], "a{}.png")
    two = make_coco(tmp_path / "two", {"train": {3: boxes, 1: boxes}}, ["dog", "bird", "cat"], "a{}.png")
    for root, licence in ((one.parent, "CC0"), (two.parent, "CC-BY")):
        file = root / "train.json"
        content = json.loads(file.read_text())
        content["licenses"] = [{"id": 1, "name": licence}]
        content["info"] = {"year": 2024}
        for image in content["images"]:
            image.update(id=(image["file_name"] == "a1.png" and 2) or image["id"] + 5, license=1)
        for note in content["annotations"]:
            note["image_id"] = 2 if note["image_id"] == 2 else note["image_id"] + 5
        file.write_text(json.dumps(content))
    result = quietly([one, two], tmp_path / "all")
    assert result.format == "coco" and result.images == 3
    written = json.loads((tmp_path / "all/annotations/instances_train.json").read_text())
    assert [(image["id"], image["camera"], image["license"]) for image in written["images"]] == [
        (2, "c1", 1),
        (8, "c2", 1),
        (9, "c3", 2),
    ]
    assert [(entry["id"], entry["name"]) for entry in written["categories"]] == [(3, "cat"), (4, "dog"), (6, "bird")]
    assert [entry["name"] for entry in written["licenses"]] == ["CC0", "CC-BY"]
    assert len({note["id"] for note in written["annotations"]}) == 4
    assert all(note["segmentation"] and note["area"] for note in written["annotations"])
    assert written["info"] == {"year": 2024}
    assert quietly([one, two], tmp_path / "yolo", format="yolo").format == "yolo"


def test_image_files_are_the_same_bytes_however_linked(tmp_path: Path) -> None:
    one = make_yolo(tmp_path / "one", {"train": {1: []}}, ["cat"])
    two = make_coco(tmp_path / "two", {"train": {2: []}}, ["cat"])
    for link in ("hardlink", "symlink", "copy"):
        output = tmp_path / link
        quietly([one, two], output, link=link)
        assert sorted(file.read_bytes() for file in (output / "images/train").iterdir()) == sorted(
            [picture(1), picture(2)]
        )
    assert (tmp_path / "hardlink/images/train/1.png").stat().st_nlink == 2


def test_an_output_is_replaced_only_if_asked(tmp_path: Path) -> None:
    one = make_yolo(tmp_path / "one", {"train": {1: []}}, ["cat"])
    two = make_yolo(tmp_path / "two", {"train": {2: []}}, ["cat"])
    quietly([one, two], tmp_path / "all")
    with pytest.raises(InputError, match="exists and is not empty"):
        quietly([one, two], tmp_path / "all")
    quietly([one, two], tmp_path / "all", overwrite=True)
    (tmp_path / "all/labels/train/1.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(InputError, match="changed after detreduce wrote them"):
        quietly([one, two], tmp_path / "all", overwrite=True)
    with pytest.raises(InputError, match=r"overlap|contains"):
        quietly([one, two], tmp_path / "one")


def test_labels_that_cannot_be_read_do_not_become_background(tmp_path: Path) -> None:
    one = make_yolo(tmp_path / "one", {"train": {1: [], 2: []}}, ["cat"])
    two = make_yolo(tmp_path / "two", {"train": {3: []}}, ["dog"])
    # class 1 does not exist in the first dataset, and is "dog" in the merged dataset
    (tmp_path / "one/labels/train/2.txt").write_text("1 0.5 0.5 0.1 0.1\n")
    (tmp_path / "two/images/train/3.png").unlink()
    make_yolo(tmp_path / "two", {"train": {3: [], 4: []}}, ["dog"])
    result = quietly([one, two], tmp_path / "all")
    assert [(item.image.name, item.why) for item in result.left_out] == [("2.png", "its labels cannot be read")]
    assert result.boxes == 0 and result.images == 3


@pytest.mark.parametrize(
    ("which", "options", "message"),
    [
        (["one"], {}, "at least two datasets"),
        (["one", "one"], {}, "named twice"),
        (["one", "pool"], {}, "no labels"),
        (["one", "two"], {"format": "coco"}, "needs COCO datasets"),
        (["one", "two"], {"format": "yola"}, "Did you mean 'yolo'"),
        (["one", "two"], {"link": "list"}, "cannot merge"),
        (["one", "two"], {"images": "one"}, "leave out the folder of images"),
        (["one", "pose"], {}, "keypoints of the datasets differ"),
        (["one", "none"], {}, "does not exist"),
    ],
)
def test_wrong_input_is_one_sentence_and_writes_nothing(
    tmp_path: Path, which: list[str], options: dict[str, object], message: str
) -> None:
    make_yolo(tmp_path / "one", {"train": {1: []}}, ["cat"])
    make_yolo(tmp_path / "two", {"train": {2: []}}, ["cat"])
    pose = make_yolo(tmp_path / "pose", {"train": {3: []}}, ["cat"])
    pose.write_text(pose.read_text() + "kpt_shape: [2, 3]\n")
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool/1.png").write_bytes(picture(9))
    with pytest.raises(InputError, match=message):
        quietly([tmp_path / name for name in which], tmp_path / "all", **options)
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize("value", [{"x": 1}, [1], None, 1.5, True])
def test_a_licence_of_any_type_is_kept(tmp_path: Path, value: object) -> None:
    one = make_coco(tmp_path / "one", {"train": {1: []}}, ["cat"])
    two = make_coco(tmp_path / "two", {"train": {2: []}}, ["cat"], "b{}.png")
    file = tmp_path / "two/train.json"
    content = json.loads(file.read_text())
    content["images"][0]["license"] = value
    file.write_text(json.dumps(content))
    result = quietly([one, two], tmp_path / "all")
    written = json.loads((result.output / "annotations/instances_train.json").read_text())
    assert [image.get("license") for image in written["images"]] == [None, value]


@pytest.mark.parametrize("make", [make_yolo, make_coco])
@pytest.mark.parametrize("split", ["val", "test"])
def test_a_split_that_is_the_train_split_is_not_merged(tmp_path: Path, make: Callable[..., Path], split: str) -> None:
    one = make(tmp_path / "one", {"train": {1: [("cat", 0, 0, 8, 8)], 2: []}}, ["cat"])
    listed = yaml.safe_load(one.read_text())
    one.write_text(yaml.safe_dump({**listed, split: listed["train"]}))
    two = make(tmp_path / "two", {"train": {3: []}, split: {4: []}}, ["cat"], "b{}.png")
    with pytest.warns(SubsetWarning, match=f"{split} is the train split"):
        result = dr.merge([one, two], tmp_path / "all")
    assert result.splits == {"train": 3, split: 1} and result.boxes == 1
    assert result.sources[0].images == 2


def test_each_entry_names_its_split(tmp_path: Path) -> None:
    one = make_yolo(tmp_path / "one", {"train": {1: [], 2: []}, "val": {3: []}}, ["cat"])
    two = make_yolo(tmp_path / "two", {"train": {1: [], 4: []}}, ["cat"])
    # one image of val is in train, too, and another one has labels that cannot be read
    (tmp_path / "two/labels/train/4.txt").write_text("7 0.5 0.5 0.1 0.1\n")
    (tmp_path / "two/val.txt").write_text("".join(f"{tmp_path}/two/images/train/{n}.png\n" for n in (1, 4, 1)))
    make_yolo(tmp_path / "two/more", {"val": {5: []}}, ["cat"])
    (tmp_path / "two/data.yaml").write_text("train: images/train\nval: [val.txt, more/images/val]\nnames: [cat]\n")
    result = quietly([one, two], tmp_path / "all")
    listed = json.loads((result.output / "merge.json").read_text())
    assert sorted((Path(item["image"]).name, item["split"]) for item in listed["left_out"]) == [
        ("4.png", "train"),
        ("4.png", "val"),
    ]
    assert (
        len({(item["dropped"], item["dropped_split"]) for item in listed["repeated"]}) == len(listed["repeated"]) == 2
    )


@pytest.mark.parametrize("count", [1, 2])
def test_counts_fit_their_nouns(tmp_path: Path, count: int) -> None:
    numbers = range(1, 1 + count)
    one = make_yolo(tmp_path / "one", {"train": {n: [] for n in numbers}}, ["cat"])
    two = make_yolo(tmp_path / "two", {"train": {n: [("cat", 0, 0, 8, 8)] for n in numbers}}, ["cat"], "b{}.png")
    make_yolo(tmp_path / "two", {"train": {n + 9: [] for n in numbers}}, ["cat"], "{}.png")
    for n in numbers:
        file = tmp_path / "two/images/train" / f"{n + 9}.png"
        file.rename(file.with_name(f"{n}.png"))
    nouns = ("1 image would", "1 pair of") if count == 1 else ("2 images would", "2 pairs of")
    with pytest.raises(InputError, match=f"{nouns[0]} be renamed.*{nouns[1]} identical images with different labels"):
        quietly([one, two], tmp_path / "all", strict=True)


@pytest.mark.parametrize("make", [make_yolo, make_coco])
def test_class_names_that_differ_in_case_are_told(tmp_path: Path, make: Callable[..., Path]) -> None:
    box = (0, 0, 8, 8)
    sets = [make(tmp_path / name, {"train": {n: [(name, *box)]}}, [name]) for n, name in enumerate(("cat", "Cat"))]
    with pytest.warns(SubsetWarning, match="'cat' in .*'Cat' in"):
        result = dr.merge(sets, tmp_path / "all")
    assert result.class_names == ("cat", "Cat")
