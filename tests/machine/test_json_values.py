"""JSON that any program reads."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detreduce.machine.json_values import json_number, json_pieces, json_text, json_value


@dataclass
class Point:
    """An object with a number that JSON does not have."""

    x: float
    rest: tuple[float, ...] = ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (np.float64("-inf"), "-inf"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (True, True),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        (Point(math.inf, (1.0, math.nan)), {"x": "inf", "rest": [1.0, None]}),
        ({1: (math.nan,), "a": Path("b")}, {"1": [None], "a": "b"}),
    ],
)
def test_what_json_lacks(value: Any, expected: Any) -> None:
    assert json_value(value) == expected
    assert json.loads(json_text(value), parse_constant=pytest.fail) == expected


def test_without_infinities() -> None:
    values = {"a": [math.inf, -math.inf, math.nan, 1.5, np.array([np.inf])], "b": Point(math.inf)}
    expected = {"a": [None, None, None, 1.5, [None]], "b": {"x": None, "rest": []}}
    assert json_value(values, infinities=False) == expected


@pytest.mark.parametrize("number", [0.1, -3.0, math.inf, -math.inf, math.nan])
def test_numbers_are_read_back(number: float) -> None:
    again = json_number(json.loads(json_text(number)))
    assert again == number or (math.isnan(again) and math.isnan(number))


def test_text_is_utf_8_whatever_the_file_names() -> None:
    text = json_text(["ü", "\udcff.jpg"])
    assert "ü" in text
    assert json.loads(text.encode()) == ["ü", "\udcff.jpg"]
    assert json_text({"a": 1}, indent=None) == '{"a": 1}\n'


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
            max_leaves=20,
        ),
        max_size=4,
    )
)
def test_the_pieces_of_a_mapping_are_its_text(content: dict[str, Any]) -> None:
    assert "".join(json_pieces(content)) == json_text(content)


def test_a_long_iterator_is_written_in_pieces() -> None:
    items = [{"a": number, "b": ["x\n"]} for number in range(2500)]
    pieces = list(json_pieces({"first": 1, "items": iter(items), "none": iter(()), "last": 2}))
    assert "".join(pieces) == json_text({"first": 1, "items": items, "none": [], "last": 2})
    assert max(map(len, pieces)) < len("".join(pieces)) / 2


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.none() | st.booleans(), inner, max_size=4)
    ),
    max_leaves=30,
)


@given(_ANY, st.sampled_from([None, 1, 2]))
def test_the_text_is_that_of_the_library(content: Any, indent: int | None) -> None:
    wanted = json.dumps(content, ensure_ascii=False, indent=indent)
    assert json_text(content, indent=indent) == wanted + "\n"


def test_long_lists_are_written_by_the_encoder_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json.encoder, "_make_iterencode", lambda *_: pytest.fail("the encoder in Python is slow"))
    content = {"ids": ["a", "b"], "scores": [0.5, None], "steps": {"kept": [1, 2], "none": []}}
    assert json.loads(json_text(content)) == content
