"""JSON and YAML from untrusted sources: every fault gives one kind of error, and no content expands without end."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from detreduce.machine.untrusted import documents
from detreduce.machine.untrusted.documents import DEEPEST, compose_yaml, load_yaml, parse_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("abcß ,:[]{}&*#'\"\n", max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=12,
)


def laughs(levels: int, wide: int = 10) -> str:
    """A YAML whose content has wide ** levels items."""
    first = f"a0: &a0 [{','.join('x' * wide)}]\n"
    return first + "".join(
        f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * wide)}]\n" for level in range(1, levels)
    )


FAULTS = {
    "laughs": laughs(10),
    "one long text": "a: &a " + "x" * 100_000 + "\nb: [" + "*a," * 10_000 + "]",
    "merges": "a0: &a0 {x: 1}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 9)),
    "brackets": "[" * 100_000,
    "braces": "{a: " * 100_000,
    "dashes": "- " * 100_000,
    "keys": "? " * 100_000,
    "indents": "".join(" " * level + "-\n" for level in range(500)),
    "aliases in aliases": "- &a0 [1]\n" + "".join(f"- &a{n} [*a{n - 1}]\n" for n in range(1, 500)),
    "itself": "a: &a [*a]",
    "itself below": "a: &a {b: [{c: *a}]}",
    "itself as a key": "&a ? *a\n: 1",
    "date": "a: 2001-13-45",
    "bool": "a: !!bool maybe",
    "int": "a: !!int ''",
    "digits": "a: 1" + "0" * 5000,
    "object": "a: !!python/object/apply:os.system [x]",
    "two documents": "--- 1\n--- 2\n",
    "control": "a: \x00",
    "surrogate": "a: \ud800",
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("long", [False, True])
def test_each_fault_of_a_yaml_is_a_yaml_error(name: str, long: bool) -> None:
    """The parser in C reads long texts, and must refuse the same texts."""
    filler = "# " + "x" * 120_000 + "\n" if long else ""
    with pytest.raises(yaml.YAMLError):
        load_yaml(filler + FAULTS[name])


@given(PLAIN, st.booleans())
def test_a_good_yaml_is_read_as_pyyaml_reads_it(content: Any, long: bool) -> None:
    text = yaml.safe_dump(content, allow_unicode=True)
    assert load_yaml(("# " + "x" * documents._LONG + "\n" if long else "") + text) == yaml.safe_load(text)


def test_aliases_that_do_not_expand_are_read() -> None:
    text = "base: &b {x: [1, 2]}\none: *b\ntwo: {<<: *b, y: 1}\n"
    assert load_yaml(text) == {"base": {"x": [1, 2]}, "one": {"x": [1, 2]}, "two": {"x": [1, 2], "y": 1}}
    assert load_yaml(laughs(3))["a2"][9][9][9] == "x"


@pytest.mark.parametrize("filler", ["", "# " + "x" * 120_000 + "\n"])
def test_the_deepest_level_is_read(filler: str) -> None:
    assert load_yaml(filler + "[" * DEEPEST + "]" * DEEPEST)
    with pytest.raises(yaml.YAMLError, match="nested too deeply"):
        load_yaml(filler + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1" * 5000, "{", '"\ud800', b"\xff", "nul"])
def test_each_fault_of_a_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


@given(PLAIN)
def test_a_good_json_is_read(content: Any) -> None:
    assert parse_json(json.dumps(content)) == content


def test_who_changes_the_content_of_a_long_yaml_changes_no_later_reading() -> None:
    text = "names: [" + ", ".join(f"class {number}" for number in range(20_000)) + "]\n"
    content = load_yaml(text)
    content["names"][0] = content["other"] = "changed"
    assert load_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize("start", ["", "\ufeff", "# \u00fc\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_marks_of_a_long_yaml_are_those_of_a_short_one(
    start: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{start}path: \u00e9 # c{end}train:{end}  - 'a'{end}  - b{end}val: |{end}  c{end}names: {{0: d}}{end}"

    def marks(node: yaml.Node) -> list[tuple[int, int]]:
        own = [(node.start_mark.index, node.end_mark.index)]
        return own + [mark for child in documents._children(node) for mark in marks(child)]

    expected = marks(compose_yaml(text))
    monkeypatch.setattr(documents, "_LONG", 0)
    assert marks(compose_yaml(text)) == expected


def test_a_change_of_long_content_does_not_reach_the_next_reader() -> None:
    text = (
        "names: ["
        + ", ".join(f"class {number}" for number in range(20_000))
        + "]\ndeep: {list: [{a: 1}], day: 2024-01-01}\n"
    )
    first = load_yaml(text)
    first["names"].append("more")
    first["deep"]["list"][0]["a"] = 2
    again = load_yaml(text)
    assert len(again["names"]) == 20_000 and again["deep"]["list"] == [{"a": 1}]
    assert again == yaml.safe_load(text)
