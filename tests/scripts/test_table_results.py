"""The page of tables prints the stored numbers, and its words agree with them."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def load(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"of_{Path(file).stem}", REPOSITORY / file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page() -> ModuleType:
    return load("scripts/docs/tables.py")


def test_the_tables_of_the_page_are_the_stored_results(page: ModuleType) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert text == page.with_tables(text), "run python scripts/docs/tables.py"
    assert text.count("<!-- tables:") == 4


def test_every_method_ran_with_every_seed(page: ModuleType) -> None:
    rows = page.cells()
    names = {row["method"] for row in rows} - {"full"}
    counts = Counter((row["table"], row["keep"], row["seed"]) for row in rows if row["method"] != "full")
    assert set(counts.values()) == {len(names)}
    assert all(
        0 <= row[f"{model}_{measure}"] <= 1 for row in rows for model in page.MODELS for measure in ("f1", "accuracy")
    )


def test_the_correlations_are_those_of_the_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts" / "studies"))
    study = importlib.import_module("table_epsilon")
    monkeypatch.setattr(importlib.import_module("predictors"), "DRAWS", 2)  # the intervals take a minute
    stored = json.loads(study.CORRELATIONS.read_text(encoding="utf-8"))["correlations"]
    found = list(study.correlations(study.cells()))
    assert [row["rho"] for row in stored] == pytest.approx([row["rho"] for row in found])
    assert all(row["low"] <= row["rho"] <= row["high"] for row in stored)


def test_a_cell_can_be_computed_again(monkeypatch: pytest.MonkeyPatch, page: ModuleType) -> None:
    benchmark = load("scripts/benchmarks/tables.py")
    monkeypatch.setattr(benchmark, "METHODS", ("srs", "moderate"))
    monkeypatch.setattr(benchmark, "OTHERS", ())
    stored = {(row["method"], row["keep"]): row for row in page.cells() if (row["table"], row["seed"]) == ("wine", 0)}
    again = list(benchmark.cells("wine", 0, [0.3], set()))
    assert [row["method"] for row in again] == ["full", "srs", "moderate"]
    for row in again:
        kept = stored[row["method"], row["keep"]]
        assert row["epsilon"] == pytest.approx(kept["epsilon"], abs=1e-4) and row["rows"] == kept["rows"]
        # the last digits of a network depend on the processor
        assert row["mlp_f1"] == pytest.approx(kept["mlp_f1"], abs=0.1)
    done = {("wine", name, keep, 0) for name, keep in (("full", 1.0), ("srs", 0.3), ("moderate", 0.3))}
    assert list(benchmark.cells("wine", 0, [0.3], done)) == []


def test_a_difference_is_paired_by_seed(page: ModuleType) -> None:
    rows = [
        {"method": name, "seed": seed, "f1": base + gap}
        for seed, base in enumerate((0.1, 0.5, 0.9))
        for name, gap in (("srs", 0.0), ("mms", 0.05))
    ]
    gap, half, seeds = page.difference(rows, "f1", "mms")
    np.testing.assert_allclose([gap, half], [0.05, 0.0], atol=1e-12)
    assert seeds == 3


def test_what_the_page_concludes(page: ModuleType) -> None:
    rows = page.cells()
    tables = {row["table"] for row in rows}
    groups = {(row["table"], row["keep"]) for row in rows if row["method"] != "full"}
    for method in ("mms", "prd"):
        for table, keep in groups:
            own, random = (page.mean(rows, "epsilon", method=name, table=table, keep=keep) for name in (method, "srs"))
            assert own < random, (method, table, keep)
    tenth = [row for row in rows if row["keep"] == 0.1]
    for method in set(page.methods_of(rows)) - {"srs"}:
        for table in tables:
            gaps = [page.difference(tenth, f"{model}_f1", method, table=table) for model in page.MODELS]
            assert not all(gap - half > 0 for gap, half, _ in gaps), (method, table)
    on_cancer = {
        method: page.mean(tenth, "mlp_f1", method=method, table="breast_cancer")
        for method in page.methods_of(rows)
        if method.islower()
    }
    assert min(on_cancer, key=lambda name: on_cancer[name]) == "rkm"
    boosting = [page.mean(tenth, "boosting_f1", method=name, table="breast_cancer") for name in ("mms", "srs")]
    assert boosting[0] < boosting[1]
    for table in tables:
        half = page.mean(rows, "mlp_f1", method="srs", table=table, keep=0.5)
        assert page.mean(rows, "mlp_f1", method="full", table=table) - half < 0.04


def test_what_the_page_says_of_epsilon() -> None:
    study = json.loads((REPOSITORY / "docs" / "results" / "studies" / "tables.json").read_text(encoding="utf-8"))
    rows = study["correlations"]
    clear = [row for row in rows if row["high"] < 0]
    text = (REPOSITORY / "docs" / "tables.md").read_text(encoding="utf-8")
    assert f"{len(clear)} of the {len(rows)} correlations" in " ".join(text.split())
    assert f"down to {min(row['rho'] for row in rows):.2f}" in " ".join(text.split())
    assert f"In {sum(row['low'] > 0 for row in rows)} of them, the whole interval is above 0" in " ".join(text.split())
    assert Counter(row["table"] for row in clear).most_common(1)[0][0] == "wine"
    assert "breast_cancer" not in {row["table"] for row in clear}
