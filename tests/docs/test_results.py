"""Figures of trainings that the README and the documentation print are those of docs/results."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from detreduce.experiment.statistics.summary import summarise_cells

REPOSITORY = Path(__file__).resolve().parent.parent.parent
RESULTS = REPOSITORY / "docs" / "results"
NAMED = {"all images, as many steps": "full_equal_iterations"}


@pytest.fixture(scope="module")
def results() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_results", REPOSITORY / "scripts" / "docs" / "results.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["cells"]
    return found


def test_the_tables_of_the_page_are_made_from_what_is_kept(results: ModuleType) -> None:
    page = results.PAGE.read_text(encoding="utf-8")
    assert page == results.with_tables(page), "python scripts/docs/results.py writes them anew"
    assert "| **`srs`** | **0." in page


def test_the_readme_prints_what_is_kept() -> None:
    summaries = summarise_cells(cells("aquarium"))
    known = {(item.method, item.keep): item for item in summaries}
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    header = "| | keep 50 % | keep 25 % | keep 10 % |"
    rows = text[text.index(header) :].partition("\n\n")[0].splitlines()[3:]
    printed = set()
    for row in rows:
        name, *figures = (cell.strip(" *") for cell in row.strip("|").split("|"))
        quoted = re.match(r"`(.+)`", name)
        label = quoted[1] if quoted else NAMED[name]
        for keep, figure in zip((0.5, 0.25, 0.1), figures, strict=True):
            item = known[label, keep]
            assert figure == f"{item.mean['mAP50']:.3f} ± {item.spread['mAP50']:.3f}", (label, keep)
            printed.add((label, keep))
    assert printed == {key for key in known if key[0] != "full"}
    full = next(item for item in summaries if item.method == "full")
    assert f"**{full.mean['mAP50']:.3f} ± {full.spread['mAP50']:.3f}**" in text


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*.json")), ids=lambda file: file.stem)
def test_what_is_kept_says_how_it_was_made(file: Path) -> None:
    found = json.loads(file.read_text(encoding="utf-8"))
    assert {"command", "processes", "versions", "model", "evaluated_on", "note", "cells"} <= found.keys()
    assert (REPOSITORY / found["command"].split()[-1]).is_file()
    seeds: dict[tuple[str, Any], set[int]] = {}
    for cell in found["cells"]:
        seeds.setdefault((cell["label"], cell["keep"]), set()).add(cell["training_seed"])
    assert all(len(of_one) >= 3 for of_one in seeds.values())
