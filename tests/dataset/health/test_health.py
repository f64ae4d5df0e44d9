"""One verdict per line, worst first. No image is opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detreduce.dataset import load_dataset
from detreduce.dataset.health.checks import check_health
from detreduce.dataset.health.counts import load_all_splits, summarise
from detreduce.dataset.health.finding import Finding, in_words, overall, worst_first
from detreduce.dataset.health.leaks import Leak, find_leaks
from detreduce.dataset.health.problem_counts import count_problems
from detreduce.dataset.health.statistics import CELLS, class_counts, per_image_counts, positions, size_counts, together

Labels = dict[str, str]


def dataset_with(root: Path, names: str = "[cat, dog, owl]", **splits: Labels) -> Path:
    """A YOLO dataset of image files that no decoder could read. Returns its data.yaml."""
    for split, labels in splits.items():
        for folder in ("images", "labels"):
            (root / split / folder).mkdir(parents=True, exist_ok=True)
        for name, text in labels.items():
            (root / split / "images" / f"{name}.jpg").write_bytes(f"{split} {name}".encode())
            (root / split / "labels" / f"{name}.txt").write_text(text)
    data = root / "data.yaml"
    data.write_text("".join(f"{split}: {split}/images\n" for split in splits) + f"names: {names}\n")
    return data


def box(kind: int, side: float = 0.2, x: float = 0.5) -> str:
    return f"{kind} {x} 0.5 {side} {side}\n"


def findings_of(data: Path) -> tuple[Finding, ...]:
    dataset = load_dataset(data)
    splits, unloaded = load_all_splits(dataset)
    return check_health(summarise(dataset, (splits, unloaded)), splits, find_leaks(splits))


def healthy(prefix: str, images: int) -> Labels:
    return {f"{prefix}{number:03}": box(0) + box(1) + box(2) for number in range(images)}


def by_check(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    assert len({one.check for one in findings}) == len(findings)
    return {one.check: one for one in findings}


def test_of_a_healthy_dataset_every_line_is_good(tmp_path):
    found = findings_of(dataset_with(tmp_path, train=healthy("t", 30), val=healthy("v", 30)))
    assert {one.verdict for one in found} == {"good"}, found
    assert {one.check for one in found} == {
        "splits", "leaks", "classes", "imbalance", "background", "box sizes", "files"
    }  # fmt: skip
    assert overall(found) == "good"
    assert not any(one.advice for one in found)


@pytest.mark.parametrize(
    ("change", "check", "verdict", "words"),
    [
        ({"val": {}}, "splits", "wrong", "Without images: val"),
        ({"val": None}, "splits", "look", "There is no val and no test split"),
        ({"val": healthy("v", 3)}, "splits", "look", "Few images in val"),
        ({"val": {f"v{n}": box(2) for n in range(30)}, "train": {f"t{n}": box(0) for n in range(30)}},
         "classes", "wrong", "In val or test, but not in train: owl"),
        ({"val": {f"v{n}": box(0) for n in range(30)}}, "classes", "look", "Val lacks dog, owl"),
        ({"names": "[cat, dog, owl, yak]"}, "unused classes", "look", "yak"),
        ({"train": {f"t{n:03}": box(0) + box(1) + (box(2) if n < 3 else "") for n in range(30)}},
         "imbalance", "look", "cat has 30 boxes, owl has 3: 10 to 1. In fewer than 20 images of train: owl."),
        ({"train": {**healthy("t", 30), **{f"u{n}": "" for n in range(40)}}}, "background", "look", "40 of 70 images"),
        ({"train": {f"t{n:03}": box(0, 0.01) + box(1) + box(2) for n in range(30)}}, "box sizes", "look", "90 % of"),
        ({"train": {**healthy("t", 30), "odd": "7 0.5 0.5 0.1 0.1\n"}}, "files", "wrong", "Ultralytics will leave out"),
    ],
)  # fmt: skip
def test_each_illness_has_its_line(tmp_path, change, check, verdict, words):
    given = {"train": healthy("t", 30), "val": healthy("v", 30), **change}
    found = by_check(
        findings_of(dataset_with(tmp_path, **{name: one for name, one in given.items() if one is not None}))
    )
    assert found[check].verdict == verdict, found
    assert words in found[check].what
    assert found[check].advice


def test_leaks_are_wrong_and_shared_names_are_looked_at(tmp_path):
    data = dataset_with(tmp_path, train=healthy("a", 40), val=healthy("v", 30), test=healthy("w", 30))
    (tmp_path / "val/images/v001.jpg").write_bytes(b"train a001")
    (tmp_path / "test/images/w001.jpg").write_bytes((tmp_path / "val/images/v002.jpg").read_bytes())
    (tmp_path / "test/images/a003.jpg").write_bytes(b"other a003")
    found = findings_of(data)
    assert [one.check for one in found][:2] == ["leaks", "shared by val and test"]
    leaks = by_check(found)
    assert leaks["leaks"].verdict == "wrong" and leaks["leaks"].count == 1
    assert "1 of the 30 images of val is also in train" in leaks["leaks"].what
    assert leaks["equal names"].count == 1
    assert in_words(found).startswith("1 wrong, 2 to look at")


class Counted(tuple[Leak, ...]):
    """Leaks that count how often all of them are looked at."""

    passes = 0

    def __iter__(self) -> Iterator[Leak]:
        Counted.passes += 1
        return super().__iter__()


@pytest.mark.parametrize("images", [5, 50])
def test_every_leak_is_looked_at_a_few_times_however_many_there_are(tmp_path, monkeypatch, images):
    data = dataset_with(tmp_path, train=healthy("t", images), test=healthy("w", images))
    data.write_text(data.read_text() + "val: train/images\n")
    dataset = load_dataset(data)
    splits, unloaded = load_all_splits(dataset)
    leaks = find_leaks(splits)
    assert len(leaks.in_train) == images and not leaks.not_in_train
    monkeypatch.setattr(Counted, "passes", 0)
    check_health(summarise(dataset, (splits, unloaded)), splits, replace(leaks, pairs=Counted(leaks.pairs)))
    assert 0 < Counted.passes < 10


def test_lines_for_people_are_exact(tmp_path):
    labels = {f"t{n:03}": box(0) for n in range(300)} | {"empty": ""}
    data = dataset_with(tmp_path, "[cat]", train=labels, val={f"v{n}": box(0) for n in range(30)})
    found = by_check(findings_of(data))
    assert found["classes"].what == "Every split has the only used class."
    assert found["background"].what == "1 of 301 images of train has no boxes (0.3%)."
    assert "--check-images" in found["leaks"].what, "files alone do not show that a set is clean"


def test_images_in_val_and_test_come_with_a_remedy(tmp_path):
    data = dataset_with(tmp_path, train=healthy("t", 30), val=healthy("v", 30), test=healthy("w", 30))
    (tmp_path / "test/images/w001.jpg").write_bytes((tmp_path / "val/images/v002.jpg").read_bytes())
    advice = by_check(findings_of(data))["shared by val and test"].advice
    assert str(tmp_path / "test/images/w001.jpg") in advice and "v002" not in advice
    (tmp_path / "test/images/w001.jpg").unlink()
    (tmp_path / "test/labels/w001.txt").unlink()
    assert "shared by val and test" not in by_check(findings_of(data))


def test_a_file_that_val_and_test_use_is_not_to_delete(tmp_path):
    data = dataset_with(tmp_path, train=healthy("t", 30), val=healthy("v", 30))
    data.write_text(data.read_text() + "test: val/images\n")
    advice = by_check(findings_of(data))["shared by val and test"].advice
    assert "Delete" not in advice and "v000.jpg" in advice and f"detreduce duplicates {data} --all" in advice


def test_worst_comes_first_and_equals_keep_their_order():
    findings = [
        Finding(name, verdict, "") for name, verdict in (("a", "good"), ("b", "wrong"), ("c", "look"), ("d", "wrong"))
    ]
    assert [one.check for one in worst_first(findings)] == ["b", "d", "c", "a"]


def test_images_without_labels_are_not_called_ill(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    found = findings_of(tmp_path)
    assert {one.verdict for one in found} == {"good"}
    assert not any("label" in one.what for one in found)


class TestStatistics:
    @pytest.fixture
    def split(self, tmp_path):
        labels = {"a": box(0) + box(1, 0.5) + box(0), "b": box(0), "c": ""}
        return load_dataset(dataset_with(tmp_path, train=labels))

    def test_classes(self, split):
        found = class_counts({"train": split})
        assert [(one.name, one.images["train"], one.boxes["train"]) for one in found] == [
            ("cat", 2, 3), ("dog", 1, 1), ("owl", 0, 0)
        ]  # fmt: skip

    def test_an_image_in_two_splits_counts_once_in_the_totals(self, split):
        (found, *_) = class_counts({"train": split, "val": split})
        assert (found.images["val"], found.all_images, found.all_boxes) == (2, 2, 3)

    def test_sizes_and_numbers(self, split):
        assert sum(size_counts(split)) == 4
        assert per_image_counts(split)[:4] == [1, 1, 0, 1]

    def test_together(self, split):
        names, matrix = together(split, 5)
        assert (names, matrix.tolist()) == (["cat", "dog"], [[2, 1], [1, 1]])

    def test_positions(self, split):
        every, cat, dog = positions(split, 5)
        assert (every.name, every.boxes, cat.name, dog.boxes) == ("all classes", 4, "cat", 1)
        # a box of half the side covers the middle half
        expected = np.zeros((CELLS, CELLS), int)
        expected[CELLS // 4 : 3 * CELLS // 4, CELLS // 4 : 3 * CELLS // 4] = 1
        assert np.array_equal(dog.cells, expected)
        assert every.centre == 1.0

    def test_a_box_in_the_corner_stays_in_the_map(self, tmp_path):
        split = load_dataset(dataset_with(tmp_path, train={"a": "0 0.99 0.99 0.02 0.02\n1 0.0 0.0 0.1 0.1\n"}))
        every = positions(split, 0)[0]
        assert every.cells[CELLS - 1, CELLS - 1] == 1 and every.cells[0, 0] == 1
        assert every.cells.min() >= 0


@pytest.mark.parametrize(("used", "problems"), [({0}, 0), ({1}, 0), ({0, 1}, 1), (set(), 0)])
def test_a_repeated_name_is_a_problem_if_it_mixes_boxes(tmp_path: Path, used: set[int], problems: int) -> None:
    labels = {f"a{number}": "".join(map(box, sorted(used | {2}))) for number in range(3)}
    data = dataset_with(tmp_path, "[chair, chair, dog]", train=labels, val=labels)
    found = by_check(findings_of(data))
    assert count_problems(load_dataset(data)).problems == problems
    assert ("class names" in found) == (not problems)
