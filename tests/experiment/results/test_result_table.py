"""The one table of results, and that the terminal, the notebook and the report show its numbers."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detreduce.cli.show.run import show_outcome
from detreduce.experiment.config import load_config
from detreduce.experiment.ledger.finished_cell import TRAIN_FOLDER, FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.results.outcome import outcome_of
from detreduce.experiment.results.result_table import result_table
from detreduce.experiment.statistics import MEASURES, Summary, summarise_cells
from detreduce.experiment.statistics.break_even import BreakEven
from detreduce.experiment.statistics.comparison import Comparison
from detreduce.report import write_report
from detreduce.training.energy import PhaseEnergy
from detreduce.training.record import TrainingRecord
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, RANDOM_METHODS
from detreduce.vocabulary.measures import ACCURACIES, MAIN_ACCURACY

CELLS: list[tuple[str, float | int, float]] = [
    ("full", 1.0, 0.6),
    ("full_equal_iterations", 0.25, 0.5),
    ("srs", 0.25, 0.4),
    ("mms", 0.25, 0.3),
    ("srs", 1, 0.11),
    ("mms", 1, 0.12),
    ("srs", 1.0, 0.58),
    ("mms", 1.0, 0.55),
]


@pytest.fixture
def ledger(tmp_path: Path, make_record: Callable[..., TrainingRecord]) -> Ledger:
    """Three seeds of two controls and of two methods at a fraction, a count of 1 and a fraction of 1."""
    found = Ledger.create(tmp_path / "ledger")
    for label, keep, map50 in CELLS:
        for seed in range(3):
            key = f"{label}-{keep}-{seed}"
            facts = {"key": key, "label": label, "method": label, "keep": keep, "training_seed": seed}
            facts |= {"control": label if label.startswith("full") else None, "selection_seed": seed}
            record = make_record(map50=map50 + 0.01 * seed * map50, wh=0.0137 * (seed + 1), images=int(100 * map50))
            with found.claim(key) as work:
                assert work is not None
                (work / TRAIN_FOLDER).mkdir()
                record.save(work / TRAIN_FOLDER)
                choosing = {"selection": PhaseEnergy(seconds=1, wh=0.02, g_co2=0.01)}
                found.finish(work, FinishedCell(key, facts, record, choosing))
    return found


def words_of(page: str) -> str:
    """Collects the text of the cells of a page, in order."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_terminal_the_notebook_and_the_report_show_the_same_numbers(
    ledger: Ledger, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = outcome_of(ledger)
    show_outcome(load_config(config), outcome)
    terminal = " ".join(capsys.readouterr().out.split())
    notebook = words_of(ledger._repr_html_())
    report = words_of(write_report(ledger).read_text(encoding="utf-8"))
    assert len(outcome.table.rows) == len(CELLS)
    for row in outcome.table.rows:
        everywhere = [row.method.text, row.keep.text, *(row.means[name].text for name in (*ACCURACIES, "Wh"))]
        everywhere += [row.against_full[MAIN_ACCURACY].text, row.against_full["Wh"].text]
        everywhere += [row.difference(against, MAIN_ACCURACY).text for against in outcome.table.references]
        for shown in (terminal, notebook, report):
            assert not [text for text in everywhere if text not in shown]
        assert row.pays_after.text in terminal and row.pays_after.text in report
    for note in outcome.table.notes:
        assert note in terminal and note in notebook and note in report


def test_a_count_of_one_and_a_fraction_of_one_are_rows_of_their_own(ledger: Ledger) -> None:
    found = {(row.method.text, row.keep.text): row for row in outcome_of(ledger).table.rows}
    assert found["mms", "1 image"].means["mAP50"].value == pytest.approx(0.1212)
    assert found["mms", "100 %"].means["mAP50"].value == pytest.approx(0.5555)
    assert found["mms", "1 image"].difference("srs", "mAP50").value == pytest.approx(0.0101)
    assert found["mms", "100 %"].difference("srs", "mAP50").value == pytest.approx(-0.0303)


def test_the_differences_to_full_are_those_of_the_comparisons(ledger: Ledger) -> None:
    outcome = outcome_of(ledger)
    alone = result_table(outcome.summaries)
    for row, plain in zip(outcome.table.rows, alone.rows, strict=True):
        for name in ACCURACIES:
            assert row.against_full[name].value == pytest.approx(plain.against_full[name].value, nan_ok=True)


def summary(**changes: Any) -> Summary:
    known = dict.fromkeys(MEASURES, 0.5)
    about = {"method": "mms", "keep": 0.25, "images": 25, "cells": 3, "is_control": False}
    return Summary(**(about | {"mean": known, "spread": known, "against_full": {}} | changes))


@pytest.mark.parametrize(
    ("choosing", "saved", "after"),
    [(0.2, 0.1, "2"), (0.25, 0.1, "3"), (0.2, -0.1, "never"), (math.nan, 0.1, "not known"), (0.001, 0.1, "")],
)
def test_when_choosing_pays(choosing: float, saved: float, after: str) -> None:
    (row,) = result_table([summary()], paid=[BreakEven("mms", 0.25, choosing, saved)]).rows
    assert row.pays_after.text == after


def test_small_amounts_keep_their_digits_and_unknown_ones_are_empty() -> None:
    mean = {**dict.fromkeys(MEASURES, math.nan), "Wh": 0.0412}
    table = result_table([summary(mean=mean, spread=dict.fromkeys(MEASURES, math.nan))])
    assert table.costs == ("Wh",)
    assert (table.rows[0].means["Wh"].text, table.rows[0].means["mAP50"].text) == ("0.0412", "")


def test_overlapped_cells_are_marked() -> None:
    table = result_table([summary(overlapped=1)])
    assert table.rows[0].cells.text == "3 (1*)" and sum(note.startswith("3 (1*): 1 of 3") for note in table.notes) == 1


def comparison(against: str, over: str, low: float | None = -0.01) -> Comparison:
    return Comparison("mms", 0.25, 25, against, "mAP50", 3, 0.02, low, 0.05, over, low, 0.05, None, None)


@pytest.mark.parametrize(
    ("others", "marked"), [("seeds and images", True), ("seeds", False)], ids=["mixed", "seeds alone"]
)
def test_intervals_over_seeds_alone_are_marked_among_others(others: str, marked: bool) -> None:
    (row,) = result_table([summary()], [comparison("srs", "seeds"), comparison(EQUAL_ITERATIONS, others)]).rows
    assert row.difference("srs", "mAP50").interval.endswith("*") is marked
    assert not row.difference(EQUAL_ITERATIONS, "mAP50").interval.endswith("*")


@pytest.mark.parametrize(
    ("recipe", "claim", "said"), [(True, "recipe", "recipe claim"), (True, "", ""), (False, "data", "")]
)
def test_each_comparison_of_a_recipe_names_its_claim(recipe: bool, claim: str, said: str) -> None:
    compared = replace(comparison(EQUAL_ITERATIONS, "seeds"), claim=claim, verdict="worse")
    table = result_table([summary(is_recipe=recipe)], [compared])
    cell = table.rows[0].difference(EQUAL_ITERATIONS, "mAP50")
    assert cell.claim == said
    assert cell.verdict_and_claim == (f"{said}: worse" if said else "worse")
    assert any("claim" in note for note in table.notes) is recipe


def test_random_subsets_come_before_the_equal_steps_control() -> None:
    for given in (["srs", EQUAL_ITERATIONS], [EQUAL_ITERATIONS, "srs"], [EQUAL_ITERATIONS, "random"]):
        table = result_table([summary()], [comparison(against, "seeds") for against in given])
        assert table.references == tuple(sorted(given, key=[*RANDOM_METHODS, EQUAL_ITERATIONS].index))


@pytest.mark.parametrize("overlapped", [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2)])
def test_a_cost_that_does_not_compare_is_left_out(overlapped: tuple[int, int]) -> None:
    rows = [
        {
            "label": label,
            "control": label if label == "full" else None,
            "keep": 1.0 if label == "full" else 0.25,
            "images": 100,
            "training_seed": seed,
            "minutes": 5.0,
            "TFLOPs": 1.0,
            "mAP50_95": 0.4,
            "overlapped": seed < count,
        }
        for label, count in zip(("full", "mms"), overlapped, strict=True)
        for seed in range(2)
    ]
    table = result_table(summarise_cells(rows))
    assert ("minutes" in table.costs) == all(count < 2 for count in overlapped)
    assert "TFLOPs" in table.costs
    assert any("overlapped" in note for note in table.notes) == any(overlapped)
    # a star in a row needs a note with a star
    assert any("*" in row.cells.text for row in table.rows) == any("*" in note for note in table.notes)
