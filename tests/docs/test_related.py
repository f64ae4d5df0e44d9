"""The numbers of the page on related work are those of the stored results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "related.md").read_text(encoding="utf-8")


def stored(name: str) -> Any:
    return json.loads((DOCS / "results" / "studies" / f"{name}.json").read_text(encoding="utf-8"))


def table(name: str) -> list[list[str]]:
    """Return the cells of the rows of a table, without its heading."""
    text = PAGE.partition(f"<!-- study: {name} -->")[2].partition("<!-- /study -->")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n") if line][2:]


def test_the_effective_ranks_are_those_of_the_study() -> None:
    study = stored("effective_rank")
    by_decay: dict[float, list[dict[str, Any]]] = {}
    for row in study["made"]:
        by_decay.setdefault(row["decay"], []).append(row)
    expected = [
        [f"{rows[0]['effective_images']:.1f}", ", ".join(f"{row['effective_rank']:.1f}" for row in rows)]
        for _, rows in sorted(by_decay.items())
    ]
    assert [row[1:] for row in table("effective_rank")] == expected
    assert f"(rank correlation {study['rho_made']})" in PAGE
    ranks = {
        name: {round(r["effective_rank"]) for r in study["real"] if r["dataset"] == name}
        for name in ("bccd", "coco128")
    }
    assert ranks == {"bccd": {75, 76}, "coco128": {93}}


def test_the_correlations_are_those_of_the_study() -> None:
    highway, coco = stored("hardness")["datasets"]
    assert (highway["dataset"], coco["dataset"]) == ("highway5", "coco128")

    def words(found: dict[str, float]) -> str:
        return f"{found['rho']:.2f} ({found['low']:.2f} to {found['high']:.2f})"

    expected = [
        [words(one["correlation_of_change"]["error"]) for one in (highway, coco)],
        [words(one["correlation_of_error"]["doubt"]) for one in (highway, coco)],
        [words(one["correlation_of_change"]["doubt"]) for one in (highway, coco)],
        [f"{one['mAP50']['steady_half']:.3f}" for one in (highway, coco)],
        [f"{one['mAP50']['unsteady_half']:.3f}" for one in (highway, coco)],
    ]
    assert [row[1:] for row in table("hardness")] == expected


def test_differences_are_on_the_page_of_results() -> None:
    results = (DOCS / "results.md").read_text(encoding="utf-8")
    found = re.findall(r"[+-]0\.\d{3} \([+-]0\.\d{3} to [+-]0\.\d{3}\)", PAGE)
    assert len(found) >= 7
    for one in found:
        assert one in results, one


def test_every_paper_has_a_row() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "https://" in line]
    for paper in (
        *("2406.13283", "2403.12166", "2307.09742", "2006.05929", "2404.14006", "2211.11004"),
        *("2211.10752", "2309.07499", "2209.15031", "2312.04095", "2509.05490"),
    ):
        assert sum(f"arxiv.org/abs/{paper}" in row for row in rows) == 1
    assert all(len(row.strip("|").split("|")) == 4 for row in rows)
