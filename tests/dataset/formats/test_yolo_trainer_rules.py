"""Which label files ultralytics refuses: our rules and ultralytics' own function agree."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detreduce.dataset.formats.yolo.labels import parse_labels
from detreduce.dataset.formats.yolo.trainer_rules import why_refused
from detreduce.dataset.reading.box_problems import DROPPED

CLASSES = 3
numbers = st.one_of(
    st.sampled_from(["0", "1", "2", "3", "-1", "1.5", "nan", "-inf", "1e39", "a", "1_0", "-0", "-0.01", "-0.0100001"]),
    st.sampled_from(["1.01", "1.0100000001", "1.0101", "0.99999999", "32", "-0.005", "0.5", "0.25", "1", "2.99999999"]),
    st.floats(-0.02, 1.02).map(repr),
)
units = st.one_of(st.sampled_from(["0", "1", "0.5"]), st.floats(0, 1).map(repr))


def rows(values):
    size = st.sampled_from([1, 2, 3, 5, 5, 5, 6, 7, 8, 9, 11])
    good = st.tuples(st.sampled_from("012"), st.lists(units, min_size=4, max_size=4)).map(lambda row: [row[0], *row[1]])
    return st.one_of(good, size.flatmap(lambda count: st.lists(values, min_size=count, max_size=count)))


texts = st.one_of(
    st.lists(rows(numbers), max_size=4).map(lambda lines: "\n".join(map(" ".join, lines)).encode()),
    st.lists(rows(units), max_size=4).map(lambda lines: "\r\n".join(map(" ".join, lines)).encode("utf-8-sig")),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
    st.text("01. \t\n\x0b\x1c\x85", max_size=40).map(lambda text: text.encode()),
    st.binary(max_size=40),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good picture."""
    folder = tmp_path_factory.mktemp("verify")
    Image.new("RGB", (32, 24)).save(folder / "a.png")
    return folder


def ultralytics_refuses(place: Path, data: bytes, kpt_shape: tuple[int, int] | None) -> bool:
    from ultralytics.data.utils import verify_image_label

    (place / "a.txt").write_bytes(data)
    width = 5 + kpt_shape[0] * kpt_shape[1] if kpt_shape else 0
    text = data.decode("utf-8-sig", "replace")
    pose = any(len(line.split()) == width for line in text.splitlines() if line.strip())
    shape = kpt_shape or (0, 0)
    found = verify_image_label((str(place / "a.png"), str(place / "a.txt"), "", pose, CLASSES, *shape, False))
    return found[0] is None


@settings(deadline=None, max_examples=500)
@given(data=texts, kpt_shape=st.sampled_from([None, None, (1, 2), (2, 3)]))
def test_the_rules_are_those_of_ultralytics(place: Path, data: bytes, kpt_shape: tuple[int, int] | None) -> None:
    refused = ultralytics_refuses(place, data, kpt_shape)
    assert (why_refused(data, CLASSES, kpt_shape) is not None) == refused
    labels = parse_labels(data, CLASSES, kpt_shape)
    # also without findings, if the rules are not used
    assert labels.refused == refused
    assert any(DROPPED in what for _, what in labels.findings) == refused


@pytest.mark.parametrize(
    "text",
    [
        "0 32 24 20 20",
        "0 0.5 0.5 -0.2 0.2",
        "0 0.5 nan 0.2 0.2",
        "3 0.5 0.5 0.2 0.2",
        "0 0.5 0.5 0.2",
        "0 0.5 0.5 0.2 0.2\n0 0.1 0.1 0.2 0.1 0.2 0.2",
    ],
)
def test_refused_files(place: Path, text: str) -> None:
    assert ultralytics_refuses(place, text.encode(), None)
    assert parse_labels(text.encode(), CLASSES).refused


def test_a_line_that_is_bad_alone_may_be_accepted_among_polygons(place: Path) -> None:
    data = b"0 0.1 0.1 0.2 0.1 0.2 0.2\n0 0.5 0.5"
    assert not ultralytics_refuses(place, data, None)
    labels = parse_labels(data, CLASSES)
    assert not labels.refused
    assert [line for line, _ in labels.findings] == [2]
