"""Label files that are parsed many at once give the same boxes and findings as one by one."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest

from detreduce.dataset.formats.yolo import label_files
from detreduce.dataset.formats.yolo.label_files import LabelReader, parse_plain
from detreduce.dataset.formats.yolo.labels import Labels, parse_labels

CLASSES = 3
LINE = b"1 0.5 0.25 0.125 0.0625\n"
ODD = [
    b"1 0.5 0.5 0.1\n",
    b"1 0.5 0.5 0.1 0.1 0.1\n",
    b"1 0.5 0.5 0.1.2 0.1\n",
    b"1 0.5 0.5 . 0.1\n",
    b"1.5 0.5 0.5 0.1 0.1\n",
    b"3 0.5 0.5 0.1 0.1\n",
    b"1 1.001 0.5 0.1 0.1\n",
    b"1 0.5 0.5 0 0.1\n",
    b"1 0.5 0.5 0.1 0\n",
    b"1 -0.5 0.5 0.1 0.1\n",
    b"1 nan 0.5 0.1 0.1\n",
    b"x 0.5 0.5 0.1 0.1\n",
    b"0 0.1 0.1 0.9 0.1 0.5 0.9\n",
    b"\xff\xfe0\x00",
    "1 0.5 0.5 0.1 0.1 é\n".encode(),
    LINE + LINE,
]
GOOD = [
    b"",
    b"\n\n",
    b"  \r\n",
    LINE,
    LINE.strip(),
    b"  1   0.5 0.25 0.125 0.0625  \r\n0 1 1 1 1\r\n",
    b"2.0 0.50000000000000001 0. .5 01\n",
    b"1 0.5 0.5 1e-1 0.1\n",
    b"\xef\xbb\xbf" + LINE,
    b"1\t0.5\t0.5\t0.1\t0.1\n",
    b"1 0.5 0.5 0.1 0.1\r0 0.5 0.5 0.1 0.1",
]


def read_all(folder: Path, contents: list[bytes | None]) -> tuple[list[Labels], LabelReader]:
    """Return the content of each file, read by a `LabelReader`, and the reader. None means that there is no file."""
    reader = LabelReader(CLASSES, None)
    for number, content in enumerate(contents):
        file = folder / f"{number}.txt"
        if content is not None:
            file.write_bytes(content)
        reader.read(None if content is None else str(file))
    reader.finish()
    found = []
    for number, arrays in enumerate(reader.boxes.arrays()):
        odd = reader.odd.get(number, Labels())
        boxes = [tuple(box) for box in arrays.boxes.tolist()]
        found.append(Labels(boxes, arrays.class_ids.tolist(), odd.findings, odd.refused))
    return found, reader


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_same_as_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(label_files, "FILES", at_once)
    contents = [*ODD, *GOOD, LINE, b"", *ODD[::-1], *[one + LINE for one in ODD], *[LINE + one for one in ODD]]
    found, _ = read_all(tmp_path, list(contents))
    assert found == [parse_labels(content, CLASSES) for content in contents]


def random_line(draw: random.Random) -> bytes:
    numbers = (f"{draw.random():.{draw.randrange(1, 20)}f}" for _ in range(4))
    return f"{draw.randrange(CLASSES)} {' '.join(numbers)}".encode()


def test_same_as_one_by_one_for_random_changes(tmp_path: Path) -> None:
    draw = random.Random(0)
    contents = []
    for _ in range(3000):
        lines = [random_line(draw) for _ in range(draw.randrange(5))]
        content = bytearray(draw.choice([b"\n", b"\r\n", b" \n"]).join(lines))
        for _ in range(draw.choice([0, 0, 1, 3])):
            if content:
                content[draw.randrange(len(content))] = draw.choice(b"0123456789.. -\n\r\t\x0b\x1c e_+x\x85\xa0\xff\0")
        contents.append(bytes(content))
    found, reader = read_all(tmp_path, list(contents))
    assert found == [parse_labels(content, CLASSES) for content in contents]
    assert 0 < len(reader.odd) < len(contents)


def test_plain_files_are_read_at_once() -> None:
    assert parse_plain([LINE * 1, b"", b"0 1 1 1 1\r\n2 0.1 0.1 0.1 0.1"], CLASSES).plain.all()
    found = parse_plain([LINE, ODD[0], LINE], CLASSES)
    assert found.plain.tolist() == [True, False, True]
    assert found.starts.tolist() == [0, 1, 1, 2]
    assert np.array_equal(found.boxes, [[0.5, 0.25, 0.125, 0.0625]] * 2)


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    reader = LabelReader(CLASSES, None)
    for file in (None, str(pipe), str(tmp_path / "gone.txt")):
        reader.read(file)
    reader.finish()
    assert [len(arrays.boxes) for arrays in reader.boxes.arrays()] == [0, 0, 0]
    assert sorted(reader.odd) == [1, 2]
    assert all(labels.refused and len(labels.findings) == 1 for labels in reader.odd.values())


def test_boxes_of_many_files_take_no_python_objects(tmp_path: Path) -> None:
    found, reader = read_all(tmp_path, [LINE] * 2500)
    arrays = reader.boxes.arrays()
    assert len(found) == len(arrays) == 2500
    # all images share one array of boxes
    assert len({id(one.boxes.base) for one in arrays}) == 1
    assert not arrays[0].boxes.flags.writeable
