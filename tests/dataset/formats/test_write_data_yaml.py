"""Editing a data.yaml: only the requested lines change."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detreduce.dataset.formats.yolo.data_yaml import edit_data_yaml

CASES = [
    # (before, changes, after)
    ("path: x\ntrain: a\n", {"path": None}, "train: a\n"),
    ("train: a\npath: x", {"path": None}, "train: a\n"),
    ("path: x # why\ntrain: a\n", {"path": None}, "# why\ntrain: a\n"),
    ("path:\ntrain: a\n", {"path": None}, "train: a\n"),
    ("path: |\n  x\n# c\ntrain: a\n", {"path": None}, "# c\ntrain: a\n"),
    ("train: 'a'   # c\nval: \"b\"\n", {"train": "n"}, 'train: n   # c\nval: "b"\n'),
    ("train: a\r\nval: b\r\n", {"val": "n"}, "train: a\r\nval: n\r\n"),
    (
        "train:\n  - a # one\n  # two\n  - b\nval: c\n",
        {"train": ["x", "b"]},
        "train:\n  - x # one\n  # two\n  - b\nval: c\n",
    ),
    ("train:\n- a # one\n# two\n- b\n# three\nval: c\n", {"train": "t"}, "# one\n# two\ntrain: t\n# three\nval: c\n"),
    ("train: [a, b] # c\n", {"train": ["x", "y"]}, "train: [x, y] # c\n"),
    ("train: [a,\n  b]\nnames: [q]\n", {"train": "t.txt"}, "train: t.txt\nnames: [q]\n"),
    ("train: a\n", {"train": ["x", "y: z"]}, "train: [x, 'y: z']\n"),
    ("train: >\n  a\nval: b\n", {"train": "n"}, "train: n\nval: b\n"),
    ("train: a\nval:\nnames: [x]\n", {"val": "v"}, "train: a\nval: v\nnames: [x]\n"),
    ("names: [x]", {"train": "n"}, "names: [x]\ntrain: n\n"),
    ("{path: /data, train: a, names: [x]}", {"path": None, "train": "n"}, None),
    ("train: a\ntrain: b\n", {"train": "n"}, "train: n\ntrain: n\n"),
    ("train: a\n", {"train": "yes"}, "train: 'yes'\n"),
    ("'train': a\n", {"train": "#x"}, "'train': '#x'\n"),
    ("\ufefftrain: a\n", {"train": "b"}, "\ufefftrain: b\n"),
    ("---\ntrain: a\n...\n", {"train": "b"}, "---\ntrain: b\n...\n"),
    (
        "nested: {path: keep, train: keep}\ntrain: a\n",
        {"path": None, "train": "b"},
        "nested: {path: keep, train: keep}\ntrain: b\n",
    ),
]


@pytest.mark.parametrize(("before", "changes", "after"), CASES)
def test_known_edits(before: str, changes: dict, after: str | None) -> None:
    text, verbatim = edit_data_yaml(before, changes)
    assert verbatim
    if after is not None:
        assert text == after
    content = yaml.safe_load(text)
    for key, value in changes.items():
        assert (content.get(key) or None) == value


def test_anchors_on_a_path_cost_the_comments_but_no_value() -> None:
    text, verbatim = edit_data_yaml("path: &root /data  # c\nbackup: *root\ntrain: a\n", {"path": None, "train": "b"})
    assert not verbatim
    assert yaml.safe_load(text) == {"backup": "/data", "train": "b"}


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | names, lambda inner: st.lists(inner, max_size=3), max_leaves=5
)
paths = names | st.lists(names, min_size=1, max_size=3)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    others=st.dictionaries(names.filter(lambda name: name not in ("path", "train", "val")), values, max_size=4),
    old=st.fixed_dictionaries({"train": paths}, optional={"path": names, "val": paths}),
    new=st.fixed_dictionaries({"train": paths}, optional={"path": st.none(), "val": paths}),
    flow=st.sampled_from([None, False, True]),
    indent=st.integers(2, 5),
    data=st.data(),
)
def test_any_yaml_keeps_its_other_keys(
    others: dict, old: dict, new: dict, flow: bool | None, indent: int, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(list({**others, **old}.items())))
    before = yaml.safe_dump(dict(order), sort_keys=False, default_flow_style=flow, indent=indent, allow_unicode=True)
    text, verbatim = edit_data_yaml(before, new)
    assert verbatim
    content = yaml.safe_load(text)
    expected = {**others, **{k: v for k, v in old.items() if k not in new}, **{k: v for k, v in new.items() if v}}
    if new.get("path", "") is None and content.get("path") == "":
        del content["path"]
    assert content == expected
