from __future__ import annotations

import json
from pathlib import Path

import pytest
from invocation import detreduce, on_a_terminal

from detreduce.reducers.catalogue import described
from detreduce.reducers.recommended import RECOMMENDED


def test_methods_lists_the_registered_ones() -> None:
    from detreduce.reducers import list_reducers, reducer_class

    found = json.loads(detreduce("methods", "--json").output)
    assert [entry["name"] for entry in found] == list_reducers()
    for entry in found:
        cls = reducer_class(entry["name"])
        assert entry == {key: list(cls.needs) if key == "needs" else getattr(cls, key) for key in entry}
    declared = {"name", "family", "keeps", "summary", "needs", "cost", "fails", "source"}
    assert set(found[0]) == declared | {"deterministic", "nested", "order_dependent"}


def test_piped_methods_are_a_table_with_the_recommended_first() -> None:
    from detreduce.reducers import list_reducers, reducer_class

    lines = detreduce("methods").output.splitlines()
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    names = [row[0] for row in rows]
    assert sorted(names) == sorted(list_reducers())
    assert names[: len(RECOMMENDED)] == list(RECOMMENDED)
    assert all(summary == reducer_class(name).summary for name, _, summary in rows)
    needs = {name: need for name, need, _ in rows}
    assert (needs["herding"], needs["class_coverage"], needs["srs"]) == ("boxes, images", "boxes", "-")
    assert all(any(when in line for line in lines) for when in RECOMMENDED.values())


def test_auto_takes_recommended_methods(yolo_folder: Path) -> None:
    from detreduce.dataset import load_dataset
    from detreduce.features.request import Extraction
    from detreduce.reduction.auto import advise

    dataset = load_dataset(yolo_folder)
    assert advise(dataset, Extraction()).method == next(iter(RECOMMENDED))
    assert advise(dataset, Extraction("file:vectors.npy")).method in RECOMMENDED
    assert advise(load_dataset(yolo_folder.parent / "images"), Extraction()).method in RECOMMENDED


@pytest.mark.parametrize("width", [60, 80, 160])
def test_methods_fit_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    from detreduce.reducers import list_reducers, reducer_class

    lines = on_a_terminal(monkeypatch, width, "methods")
    assert max(map(len, lines)) <= width and not any("…" in line for line in lines)
    words = " ".join(lines).replace("│", " ").split()
    for name in list_reducers():
        assert name in words and set(reducer_class(name).summary.split()) <= set(words)


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
