"""The text of YOLO label files."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detreduce.dataset.formats.yolo import labels as yolo_labels
from detreduce.dataset.formats.yolo.labels import parse_labels

BOX = "1 0.5 0.5 0.2 0.4"


def parse(text: str | bytes, n_classes: int = 3, kpt_shape: tuple[int, int] | None = None):
    return parse_labels(text.encode() if isinstance(text, str) else text, n_classes, kpt_shape)


def test_plain_box():
    labels = parse(BOX)
    assert labels.boxes == [(0.5, 0.5, 0.2, 0.4)]
    assert labels.classes == [1]
    assert labels.findings == []


@pytest.mark.parametrize(
    "text",
    [
        BOX + "\r\n",
        "\ufeff" + BOX,
        "\n\n" + BOX + "  \t \n\n",
        "1.0\t0.5 0.5   0.2 0.4",
        "1 5e-1 .5 +0.2 0.40",
    ],
)
def test_harmless_forms(text):
    labels = parse(text)
    assert (labels.boxes, labels.classes, labels.findings) == ([(0.5, 0.5, 0.2, 0.4)], [1], [])


def test_polygon_and_oriented_box_become_their_bounds():
    labels = parse("0 0.1 0.2 0.5 0.2 0.5 0.8\n2 0.5 0.1 0.9 0.5 0.5 0.9 0.1 0.5")
    assert labels.boxes[0] == pytest.approx((0.3, 0.5, 0.4, 0.6))
    assert labels.boxes[1] == pytest.approx((0.5, 0.5, 0.8, 0.8))
    assert labels.findings == []


def test_keypoints_are_not_a_polygon():
    row = BOX + " 0.5 0.5 2 0.9 0.9 1"
    labels = parse(row, kpt_shape=(2, 3))
    assert (labels.boxes, labels.findings) == ([(0.5, 0.5, 0.2, 0.4)], [])
    # 11 fields are a polygon of five points if the dataset has no keypoints
    assert parse(row).boxes != labels.boxes


@pytest.mark.parametrize("points", ["1.2 0.5 2 0.9 0.9 1", "0.5 1.2 2 0.9 0.9 1", "0.5 0.5 2 0.9 1.2 1"])
def test_keypoints_outside_the_image(points):
    [(_, what)] = parse(f"{BOX} {points}", kpt_shape=(2, 3)).findings
    assert "1.2 is outside [0, 1]" in what


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("x 0.5 0.5 0.2 0.4", "'x' is not a number"),
        ("1 0.5 0.5 0.2 0,4", "'0,4' is not a number"),
        ("1 0.5 nan 0.2 0.4", "not a finite number"),
        ("1 0.5 0.5 inf 0.4", "not a finite number"),
        ("1 0.5 0.5 0.2", "4 fields"),
        ("1 0.5 0.5 0.2 0.4 0.9", "6 fields"),
        ("1 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "8 fields"),
        ("3 0.5 0.5 0.2 0.4", "class 3 is outside 0-2"),
        ("-1 0.5 0.5 0.2 0.4", "class -1 is outside 0-2"),
        ("1.5 0.5 0.5 0.2 0.4", "not a whole number"),
        ("1 0.5 0.5 -0.2 0.4", "negative box size"),
    ],
)
def test_unusable_lines_are_left_out_and_named(line, word):
    labels = parse(f"{BOX}\n{line}\n0 0.2 0.2 0.1 0.1")
    assert labels.classes == [1, 0]
    [(number, what)] = labels.findings
    assert number == 2
    assert word in what
    assert "left out" in what


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("1 0.5 0.5 1.2 0.4", "1.2 is outside [0, 1]; ultralytics will leave out the whole image"),
        ("1 -0.3 0.5 0.2 0.4", "-0.3 is outside [0, 1]; ultralytics will leave out the whole image"),
        ("1 1.005 0.5 0.2 0.4", "1.005 is outside [0, 1]; ultralytics accepts the value"),
        ("1 0.5 0.5 0 0.4", "zero-area box"),
        ("0 0.5 0.5 0.2 0.4\n0 0.5 0.5 0.2 0.4", "identical to line 1; ultralytics will remove the box"),
        ("0 0.1 0.1 0.5 0.1 0.5 1.3", "1.3 is outside [0, 1]"),
    ],
)
def test_doubtful_boxes_are_kept_and_named(line, word):
    labels = parse(line)
    assert len(labels.boxes) == len(line.splitlines())
    [(number, what)] = labels.findings
    assert number == len(line.splitlines())
    assert word in what


def test_repeats_of_another_class_are_no_repeats():
    assert parse("0 0.5 0.5 0.2 0.4\n1 0.5 0.5 0.2 0.4").findings == []


def test_mixed_boxes_and_polygons():
    labels = parse(f"{BOX}\n0 0.1 0.2 0.5 0.2 0.5 0.8")
    assert len(labels.boxes) == 2
    [(number, what)] = labels.findings
    assert number is None
    assert "mixes boxes and polygons" in what


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings(encoding):
    data = f"{BOX}\n# \xe9".encode(encoding)
    labels = parse(data)
    assert labels.classes == [1]
    assert any("not UTF-8" in what for _, what in labels.findings)


@given(st.binary(max_size=200), st.sampled_from([None, (2, 3), (1, 2)]))
def test_any_bytes_give_finite_boxes_of_known_classes(data, kpt_shape):
    labels = parse(data, kpt_shape=kpt_shape)
    assert len(labels.boxes) == len(labels.classes)
    assert all(math.isfinite(value) for box in labels.boxes for value in box)
    assert set(labels.classes) <= {0, 1, 2}


numbers = st.sampled_from(["0", "1", "0.5", "nan", "-0.1", "1.005", "1e400", "2", "a", "0.25"])


@given(st.lists(st.lists(numbers, min_size=1, max_size=12), max_size=6))
def test_every_line_is_a_box_or_a_finding(lines):
    labels = parse("\n".join(" ".join(line) for line in lines))
    named = {number for number, _ in labels.findings if number}
    assert len(labels.boxes) >= len(lines) - len(named)
    assert len(labels.boxes) <= len(lines)


_NEAR = st.sampled_from([-1.0, -0.0, 0.0, 0.5, 1.0, 1.005, 1.5, 2.0, 1e-320, math.inf, math.nan]) | st.floats(-0.1, 1.1)


@given(st.lists(st.tuples(_NEAR, _NEAR, _NEAR, _NEAR, _NEAR), max_size=3))
def test_the_short_cut_for_plain_boxes_changes_nothing(rows):
    data = "".join(" ".join(map(repr, row)) + "\n" for row in rows).encode()
    quick = parse_labels(data, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yolo_labels, "_plain_box", lambda *_: None)
        assert parse_labels(data, 2) == quick
