"""The rows of a CSV file are copied byte for byte."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.errors import DetreduceError, InputError
from detreduce.tables import csv_rows
from detreduce.tables.csv_rows import CsvRows, read_csv


def read(path: Path, **more: str) -> tuple[CsvRows, list[str]]:
    names: list[str] = []

    def needed(found: list[str]) -> dict[str, int]:
        names.extend(found)
        return dict.fromkeys(found, 10_000)

    return read_csv(path, needed, **more)[0], names


def copied(rows: CsvRows, chosen: list[int]) -> bytes:
    file = io.BytesIO()
    rows.copy(np.array(chosen, np.int64), file)
    return file.getvalue()


ODD = [
    b'\xef\xbb\xbfname,note\r\nAnna,"a,b"\r\n"Bo ""B""","two\r\nlines"\r\nCid,\n\xc3\xa9t\xc3\xa9,x',
    b"a;b\n1,5;2\n2;3,5\n",
    b"a\tb\r1\t2\r3\t4\r",
    b"a,b\n1,2\n\n3,4\n\n\n",
    b'a\n"x"\n',
    b"a,b\n\xe9,1\nb,2\n",
    b'a,"b\nc"\n1,2\n',
    b"a,b\n5\" pipe,2\n'q,r',\x0b\n".replace(b",r", b"r"),
]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_all_rows_are_the_file(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(text)
    rows, _ = read(file)
    assert copied(rows, list(range(len(rows)))) == text


def test_one_row_is_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(ODD[0])
    rows, names = read(file)
    assert names == ["name", "note"] and len(rows) == 4
    head = b"\xef\xbb\xbfname,note\r\n"
    assert copied(rows, [1]) == head + b'"Bo ""B""","two\r\nlines"\r\n'
    assert copied(rows, [0, 3]) == head + b'Anna,"a,b"\r\n\xc3\xa9t\xc3\xa9,x'
    assert copied(rows, []) == head


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    table=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    data=st.data(),
)
def test_any_rows_read_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str]], end: str, quoting: int, data: st.DataObject
) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=end, quoting=quoting).writerows([("first", "second"), *table])
    file = tmp_path_factory.mktemp("csv") / "table.csv"
    file.write_bytes(written.getvalue().encode())
    rows, _ = read(file, delimiter=",")
    assert len(rows) == len(table)
    chosen = sorted(data.draw(st.sets(st.integers(0, len(table) - 1))))
    text = copied(rows, chosen).decode()
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["first", "second"],
        *(list(table[row]) for row in chosen),
    ]
    pieces = [copied(rows, [row])[int(rows.ends[0]) :] for row in range(len(table))]
    assert written.getvalue().encode()[int(rows.ends[0]) :] == b"".join(pieces)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n\na,b\n1,2\n", "is empty, or its first line"),
        (b"a,b\n", "has no rows"),
        (b"a,b\n1,2\n3\n", "line 3: 1 cell, but the first line names 2 columns"),
        (b"a\n1,5\n", "line 2: 2 cells, but the first line names 1 column"),
        (b"a,a\n1,2\n", "more than one column is called 'a'"),
        (b"1.5,2\n3,4\n", "only numbers"),
        (b'a,b\n1,"2\n3,4\n', "not valid CSV"),
        (b'a,b\n1,"2"x\n3,4\n', "line 2: this is not valid CSV"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"\x1f\x8b\x08\x00", "is compressed"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a CSV file"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: bytes, words: str) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(text)
    with pytest.raises(InputError, match=words):
        read(file)


def test_numbered_names_are_names(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(b"0,1,2\n5,6,7\n")
    assert read(file)[1] == ["0", "1", "2"]


def test_a_long_line_and_a_large_file_are_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(b"a,b\n" + b"1" * 3000 + b",2\n")
    monkeypatch.setattr(csv_rows, "LONGEST", 1000)
    with pytest.raises(InputError, match="line 2 has more than"):
        read(file)
    monkeypatch.setattr(csv_rows, "LARGEST", 2000)
    with pytest.raises(InputError, match="limit for tables"):
        read(file)


def test_an_ignored_column_may_have_long_cells(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(b"a,document\n" + b"".join(b"%d,%s\n" % (row, b"x" * 200_000) for row in range(3)))
    before = csv.field_size_limit()
    rows, _ = read_csv(file, lambda names: {"a": 10})
    assert copied(rows, [0, 1, 2]) == file.read_bytes() and csv.field_size_limit() == before


def test_a_table_that_changes_in_between_is_not_mixed(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(b"a,b\n1,2\n3,4\n")
    rows, _ = read(file)
    file.write_bytes(b"a,b\n11,22\n33,44\n")
    with pytest.raises(DetreduceError, match="has changed"):
        copied(rows, [0])


def test_a_column_with_a_late_text_is_all_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "CHUNK", 2)
    file = tmp_path / "table.csv"
    file.write_text("a,b\n" + "".join(f"{row % 3},{row}\n" for row in range(7)) + "x,7\n")
    columns = read_csv(file, lambda names: dict.fromkeys(names, 10))[1]
    assert columns["a"].is_text and list(columns["a"].values()) == [*map(str, [0, 1, 2, 0, 1, 2, 0]), "x"]
    assert columns["b"].values().tolist() == list(itertools.chain(range(8)))


def test_a_file_is_read_at_most_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "CHUNK", 2)
    opened: list[Path] = []
    monkeypatch.setattr(csv_rows, "open_regular", lambda path: opened.append(path) or path.open("rb"))
    file = tmp_path / "table.csv"
    file.write_text("a,b,c,d\n" + "1,2,3,4\n" * 5 + "x,2,3,4\n1,x,3,4\n1,2,3,4\n1,2,x,4\n")
    columns = read_csv(file, lambda names: dict.fromkeys(names, 10))[1]
    assert [column.is_text for column in columns.values()] == [True, True, True, False] and len(opened) == 2
    assert all(len(column.values()) == 9 for column in columns.values())
