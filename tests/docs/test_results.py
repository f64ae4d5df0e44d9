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


def printed(header: str) -> dict[str, list[str]]:
    """The rows below a heading of the README's tables: the first cell, and the figures after it."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    lines = text[text.index(header) :].partition("\n\n")[0].splitlines()
    rows = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {row[0]: row[1:] for row in rows if "±" in row[1]}


def label(name: str) -> str:
    """The label of the cells of which a row is."""
    method, *parameter = re.findall(r"`([^`]+)`", name.partition(" (")[0])
    return f"{method}({parameter[0]})" if parameter else method


@pytest.mark.parametrize(
    ("name", "keeps", "rows"), [("aquarium", (0.5, 0.25, 0.1), 7), ("aquarium_methods", (0.25, 0.1), 5)]
)
def test_the_readme_prints_what_is_kept(name: str, keeps: tuple[float, ...], rows: int) -> None:
    summaries = {(item.method, item.keep): item for item in summarise_cells(cells(name))}
    table = printed("| | " + " | ".join(f"keep {100 * keep:g} %" for keep in keeps) + " |")
    assert len(table) == rows
    for first, figures in table.items():
        for keep, figure in zip(keeps, figures, strict=True):
            item = summaries[NAMED.get(first) or label(first), keep]
            assert figure == f"{item.mean['mAP50']:.3f} ± {item.spread['mAP50']:.3f}", (first, keep)


def test_the_readme_prints_what_all_images_reach() -> None:
    full = next(item for item in summarise_cells(cells("aquarium")) if item.method == "full")
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
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
