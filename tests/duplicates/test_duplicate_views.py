"""Duplicates and leakage in a notebook."""

from __future__ import annotations

from pathlib import Path

from detreduce.dataset.records import Problem
from detreduce.duplicates import DuplicatePair, Duplicates, LeakageReport, LeakedImage

PAIRS = (
    DuplicatePair("b<i>.jpg", "a.jpg", 0.95, "mirrored", False),
    DuplicatePair("c.jpg", "a.jpg", 1.0, "same way up", True),
    DuplicatePair("e.jpg", "d.jpg", 0.9, "same way up", False),
)
FOUND = Duplicates(
    (("a.jpg", "b<i>.jpg", "c.jpg"), ("d.jpg", "e.jpg")), PAIRS, 9, "pixels", 0.85, (Problem(Path("x.jpg"), "cut off"),)
)
LEAKED = (
    LeakedImage("val", 7, "train", 3, 0.97, "mirrored", False, "v<i>.jpg", "t.jpg"),
    LeakedImage("test", 9, "train", 4, 1.0, "same way up", True, "w.jpg", "u.jpg"),
)
REPORT = LeakageReport({"train": 10, "val": 4, "test": 5}, LEAKED, 0.85)


def test_the_table_counts_and_shows_the_pairs() -> None:
    page = FOUND._repr_html_()
    assert "Duplicates: 3 of 9 images are redundant" in page
    assert "2 groups by pixels, threshold 0.85" in page and "1 pair is exact" in page
    assert "b&lt;i&gt;.jpg" in page and "<i>" not in page
    assert page.count("<tr>") == 4 and "x.jpg: cut off" in page


def test_many_pairs_are_cut_and_none_is_no_table() -> None:
    many = Duplicates((), PAIRS * 10, 90, "pixels", 0.85)
    assert "… and 10 more pairs" in many._repr_html_()
    assert "<table>" not in Duplicates((), (), 4, "pixels", 0.85)._repr_html_()


def test_a_row_a_redundant_image_with_its_group() -> None:
    frame = FOUND.to_frame()
    assert frame["group"].tolist() == [0, 0, 1]
    assert frame["copy"].tolist() == list(FOUND.redundant)
    assert frame.groupby("group")["kept"].first().tolist() == ["a.jpg", "d.jpg"]
    assert frame["exact"].tolist() == [False, True, False]
    nothing = Duplicates((), (), 4, "pixels", 0.85).to_frame()
    assert nothing.empty and nothing.columns.tolist() == frame.columns.tolist()


def test_leakage_counts_each_pair_of_splits() -> None:
    page = REPORT._repr_html_()
    number = '<td class="number">'
    assert f"val from train</td>{number}0</td>{number}1</td>{number}4</td>" in page
    assert f"test from train</td>{number}1</td>{number}0</td>{number}5</td>" in page
    assert f"test from val</td>{number}0</td>{number}0</td>{number}5</td>" in page
    assert "val: v&lt;i&gt;.jpg" in page and "train: t.jpg" in page and "<i>" not in page


def test_a_row_a_leaked_image() -> None:
    frame = REPORT.to_frame()
    assert frame[["split", "image", "other_split", "other"]].values.tolist() == [
        ["val", 7, "train", 3],
        ["test", 9, "train", 4],
    ]
    assert frame["image"].dtype == int, "ids of COCO stay numbers"
    assert LeakageReport({"train": 1}, (), 0.85).to_frame().columns.tolist() == frame.columns.tolist()
