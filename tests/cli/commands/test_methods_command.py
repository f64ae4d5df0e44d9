from __future__ import annotations

import json

import pytest
from invocation import detreduce, on_a_terminal

from detreduce.reducers.catalogue import described


def test_methods_lists_the_registered_ones() -> None:
    from detreduce.reducers import list_reducers, reducer_class

    found = json.loads(detreduce("methods", "--json").output)
    assert [entry["name"] for entry in found] == list_reducers()
    for entry in found:
        cls = reducer_class(entry["name"])
        assert entry == {key: list(cls.needs) if key == "needs" else getattr(cls, key) for key in entry}
    declared = {"name", "family", "keeps", "summary", "needs", "cost", "fails", "source"}
    assert set(found[0]) == declared | {"deterministic", "nested", "order_dependent"}


def test_piped_methods_are_a_whole_line_for_each_fact() -> None:
    from detreduce.reducers import list_reducers, reducer_class

    lines = detreduce("methods").output.splitlines()
    assert all(line == line.rstrip() for line in lines)
    for name in list_reducers():
        cls = reducer_class(name)
        start = lines.index(f"{name} ({cls.family})")
        assert [line.split(maxsplit=1) for line in lines[start + 1 : start + 6]] == [
            ["keeps", f"{cls.keeps}: {cls.summary}"],
            ["needs", ", ".join(cls.needs) or "nothing"],
            ["cost", cls.cost],
            ["fails", cls.fails],
            ["source", cls.source],
        ]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_methods_fit_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    from detreduce.reducers import list_reducers, reducer_class

    lines = on_a_terminal(monkeypatch, width, "methods")
    assert max(map(len, lines)) <= width and not any("…" in line for line in lines)
    words = " ".join(lines).replace("│", " ").split()
    for name in list_reducers():
        assert name in words and set(reducer_class(name).fails.split()) <= set(words)
    assert ("│" in "".join(lines)) == (width == 160)


@pytest.mark.parametrize("width", [60, 80, 160])
def test_one_method_in_full(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines = on_a_terminal(monkeypatch, width, "methods", "phl")
    example = "  detreduce reduce data.yaml --method phl --keep 0.25 --output reduced/ landmark=representative"
    assert lines.count(example) == 1, "a command is not broken, so that it can be copied"
    assert max(len(line) for line in lines if line != example) <= min(width, 80)
    for text in ("phl (ranking)", "  max_neighbours=200", "  --seed, in Python random_state=0", "  as_released=false"):
        assert text in lines
    words = " ".join(" ".join(lines).split())
    method = described("phl")
    for text in (*method.about, *method.traits, *(parameter.text for parameter in method.parameters)):
        assert text in words


def test_one_method_as_json() -> None:
    found = json.loads(detreduce("methods", "mms", "--json").output)
    assert found["name"] == "mms" and found["keeps"] == "diverse" and found["nested"] is True
    assert [(entry["name"], entry["default"]) for entry in found["parameters"]] == [
        ("start", "center"),
        ("keep", 0.25),
        ("random_state", 0),
    ]
    assert "--method mms" in found["example"]


@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_an_unknown_method_is_answered_with_the_nearest(extra: tuple[str, ...]) -> None:
    result = detreduce("methods", "nrdm", *extra)
    assert result.exit_code == 2 and "Did you mean 'nrmd'?" in result.output and "Traceback" not in result.output
