"""Class ids are valid inside one file: splits are joined by class name, or refused."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.health.counts import summarise
from detreduce.dataset.joined_classes import join_classes
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.write import SubsetWarning, write_subset, write_yolo_view
from detreduce.errors import InputError
from detreduce.training.run.folder import EvaluationPlan, make_run_folder

NUMBERS = itertools.count()
Categories = dict[int, str]


def make_coco(root: Path, categories: dict[str, Categories], crowd: int = 0) -> Path:
    """Write one image per class and split, with one box of this class. Return the JSON of train."""
    for split, names in categories.items():
        images, boxes = [], []
        for number, key in enumerate(names, 1):
            (root / split).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 32)).save(root / split / f"{number}.png")
            images.append({"id": number, "file_name": f"{number}.png", "width": 64, "height": 32})
            for flag in {0, crowd}:
                boxes.append({"image_id": number, "category_id": key, "bbox": [8, 8, 16, 16 - flag], "iscrowd": flag})
                boxes[-1]["id"] = len(boxes)
        (root / "annotations").mkdir(exist_ok=True)
        listed = [{"id": key, "name": name} if name is not None else {"id": key} for key, name in names.items()]
        content = {"images": images, "annotations": boxes, "categories": listed}
        (root / f"annotations/instances_{split}.json").write_text(json.dumps(content))
    return root / "annotations/instances_train.json"


def names_by_split(file: Path) -> dict[str, Counter[str]]:
    """Return the number of boxes of each class name, by split."""
    found = {}
    for split in load_dataset(file).source.splits:
        dataset = load_dataset(file, split)
        found[split] = Counter(dataset.class_names[number] for number in dataset.box_classes.tolist())
    return found


NAMES = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5, unique=True)
SPLIT = NAMES.flatmap(
    lambda names: st.lists(st.integers(0, 9), min_size=len(names), max_size=len(names), unique=True).map(
        lambda keys: dict(zip(keys, names, strict=True))
    )
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(train=SPLIT, val=SPLIT)
def test_ids_of_any_kind_are_joined_by_name(tmp_path: Path, train: Categories, val: Categories) -> None:
    file = make_coco(tmp_path / f"{next(NUMBERS)}", {"train": train, "val": val})
    wanted = {"train": Counter(train.values()), "val": Counter(val.values())}
    dataset = load_dataset(file)
    disagree = any(val.get(key, name) != name for key, name in train.items()) or any(
        {k for k, n in train.items() if n == name} != {k for k, n in val.items() if n == name}
        for name in {*train.values()} & {*val.values()}
    )
    problems = [problem for problem in summarise(dataset).problems if "joined by class name" in problem.what]
    assert len(problems) == disagree
    output = tmp_path / f"{next(NUMBERS)}"
    if disagree:
        with pytest.warns(SubsetWarning, match="joined by class name"):
            write_subset(dataset, dataset.image_ids, output, format="yolo")
        with pytest.warns(SubsetWarning, match="joined by class name"):
            write_subset(dataset, dataset.image_ids, output.with_name(f"{output.name}-coco"))
    else:
        write_subset(dataset, dataset.image_ids, output, format="yolo")
    assert names_by_split(output / "data.yaml") == wanted
    names = yaml.safe_load((output / "data.yaml").read_text())["names"]
    assert sorted(names.values()) == sorted({*train.values(), *val.values()})


@pytest.mark.parametrize(
    ("train", "val", "what"),
    [
        # two classes with one name and other ids
        ({1: "a", 2: "a"}, {1: "a", 3: "a"}, r"'a'.*train: 1, 2, val: 1, 3"),
        ({1: "a"}, {2: "a", 3: "a"}, r"'a'.*train: 1, val: 2, 3"),
        # a category without a name
        ({1: "a"}, {1: None}, r"category 1 has no name in val"),
    ],
)
def test_what_cannot_be_joined_is_refused(tmp_path: Path, train: Categories, val: Categories, what: str) -> None:
    dataset = load_dataset(make_coco(tmp_path / "source", {"train": train, "val": val}))
    assert [problem for problem in summarise(dataset).problems if "cannot be joined" in problem.what]
    for write in (
        lambda: write_yolo_view(dataset, tmp_path / "view"),
        lambda: write_subset(dataset, dataset.image_ids, tmp_path / "out"),
        lambda: write_subset(dataset, dataset.image_ids, tmp_path / "out", format="yolo"),
    ):
        with pytest.raises(InputError, match=what):
            write()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_equal_names_inside_one_split_stay_separate(tmp_path: Path) -> None:
    twice = {1: "a", 2: "a", 5: "b"}
    dataset = load_dataset(make_coco(tmp_path, {"train": twice, "val": twice}))
    joined = join_classes({"train": dataset, "val": load_dataset(dataset.source.path, "val")})
    assert (joined.names, dict(joined.numbers)) == (("a", "a", "b"), {"train": (0, 1, 2), "val": (0, 1, 2)})
    assert joined.notice is None


def test_training_says_it_and_crowd_regions_have_the_joined_class(tmp_path: Path) -> None:
    file = make_coco(tmp_path, {"train": {0: "a", 1: "b", 2: "c"}, "val": {0: "c", 1: "a", 2: "b"}}, crowd=1)
    run = make_run_folder(file, tmp_path / "run", label="x", evaluation=EvaluationPlan(allow_leaks=True))
    assert any("joined by class name" in warning for warning in run.warnings)

    def names(dataset: DetectionDataset, crowd: bool) -> list[str]:
        wanted = dataset.box_classes[dataset.box_crowd == crowd].tolist()
        return [dataset.class_names[number] for number in wanted]

    truth = run.truths["val"]
    assert names(truth, True) == names(truth, False) == ["c", "a", "b"]


def make_yolo(root: Path, files: dict[str, str]) -> Path:
    """Write a data.yaml that joins the exports `one` and `two`, and class files."""
    for part in ("one", "two"):
        (root / part / "images").mkdir(parents=True)
        (root / part / "labels").mkdir()
        Image.new("RGB", (64, 32), (len(part), 0, 0)).save(root / part / f"images/{part}.png")
        (root / part / f"labels/{part}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    for name, text in files.items():
        (root / name).write_text(text)
    (root / "data.yaml").write_text("train: one/images\nval: two/images\nnames: [cat, dog]\n")
    return root / "data.yaml"


@pytest.mark.parametrize(
    "files",
    [
        {"one/classes.txt": "cat\ndog\n", "two/classes.txt": "dog\ncat\n"},
        {"one/labels/classes.txt": "cat\ndog\n", "two/labels/classes.txt": "dog\ncat\n"},
        {"one/data.yaml": "names: [cat, dog]\n", "two/data.yaml": "names: {0: dog, 1: cat}\n"},
    ],
)
def test_yolo_exports_that_number_otherwise_are_refused(tmp_path: Path, files: dict[str, str]) -> None:
    dataset = load_dataset(make_yolo(tmp_path / "source", files))
    found = [problem for problem in summarise(dataset).problems if "class 0 is 'dog' here, but 'cat'" in problem.what]
    assert [problem.file for problem in found] == [tmp_path / "source" / list(files)[1]]
    for write in (
        lambda: write_subset(dataset, dataset.image_ids, tmp_path / "out"),
        lambda: write_yolo_view(dataset, tmp_path / "view"),
    ):
        with pytest.raises(InputError, match=r"Class 0 is 'cat' in .*one.*, but 'dog' in .*two"):
            write()
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_class_files_that_agree_with_each_other_only_are_said(tmp_path: Path) -> None:
    files = {"one/classes.txt": "dog\ncat\n", "two/classes.txt": "dog\ncat\n"}
    dataset = load_dataset(make_yolo(tmp_path / "source", files))
    with pytest.warns(SubsetWarning, match="class 0 is 'dog' here"):
        write_subset(dataset, dataset.image_ids, tmp_path / "out")
    agreeing = {"one/classes.txt": "cat\ndog\nhorse\n", "two/data.yaml": "nothing: [\n"}
    assert not load_dataset(make_yolo(tmp_path / "other", agreeing)).problems


@pytest.mark.parametrize(
    ("train", "val", "similar"),
    [
        ({1: "cat"}, {1: "Cat"}, True),
        ({1: "traffic light"}, {1: "TrafficLight"}, True),
        ({1: "Straße"}, {1: "STRASSE"}, True),
        ({1: "cat", 2: "Cat"}, {1: "cat", 2: "Cat"}, False),
        ({1: "cat", 2: "Cat"}, {2: "Cat"}, False),
        ({1: "cat"}, {1: "cats"}, False),
    ],
)
def test_names_that_differ_in_case_are_told(tmp_path: Path, train: Categories, val: Categories, similar: bool) -> None:
    dataset = load_dataset(make_coco(tmp_path / "set", {"train": train, "val": val}))
    classes = join_classes({"train": dataset, "val": load_dataset(dataset.source.path, "val")})
    assert bool(classes.spelling_notice) == bool(classes.spellings) == similar
    listed = [problem.what for problem in summarise(dataset).problems]
    told = [what for what in listed if "differ only in upper and lower case" in what]
    assert len(told) == similar and all(repr(train[1]) in what for what in told)
