"""What the finished cells of a ledger say: the tables of a report, and its first sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detreduce.experiment.ledger import FinishedCell, Ledger
from detreduce.experiment.run import finished_rows
from detreduce.experiment.statistics.break_even import BreakEven, break_even
from detreduce.experiment.statistics.comparison import Comparison, compare_methods
from detreduce.experiment.statistics.pairs import EQUAL_ITERATIONS, random_reference
from detreduce.experiment.statistics.ranks import Ranking, rank_methods
from detreduce.experiment.statistics.summary import Summary, summarise_cells
from detreduce.figures.roles import keep_in_words
from detreduce.training.energy import PhaseEnergy, together

Row = Mapping[str, Any]
MEASURE = "mAP50_95"
PHASES = ("duplicates", "features", "proxy training", "selection", "training", "validation", "evaluation")


@dataclass(frozen=True)
class Results:
    """The finished cells of a ledger's plan, and what follows from them.

    Attributes
    ----------
    cells, rows
        Side by side, in the plan's order.
    summaries, comparisons, ranking, paid
        As `detreduce run` shows them.
    chance
        The label of the rows that stand for a random subset, or None.
    """

    cells: Sequence[FinishedCell]
    rows: Sequence[Row]
    summaries: Sequence[Summary]
    comparisons: Sequence[Comparison]
    ranking: Ranking | None
    paid: Sequence[BreakEven]
    chance: str | None

    def difference(self, summary: Summary, against: str, measure: str = MEASURE) -> Comparison | None:
        """How a method at a keep compares with ``srs``, ``random`` or ``full_equal_iterations``."""
        for item in self.comparisons:
            same = item.method == summary.method and repr(item.keep) == repr(summary.keep)
            if same and item.against == against and item.measure == measure:
                return item
        return None

    def pays_after(self, summary: Summary) -> BreakEven | None:
        """After how many trainings choosing has paid for itself."""
        for item in self.paid:
            if item.method == summary.method and repr(item.keep) == repr(summary.keep):
                return item
        return None


def gather_results(ledger: Ledger) -> Results:
    """Read the finished cells of the ledger's latest plan, and compare them; seconds for hundreds of cells."""
    rows = finished_rows(ledger)
    by_key = {cell.key: cell for cell in ledger}
    rows = [row for row in rows if row["key"] in by_key]
    return Results(
        cells=[by_key[row["key"]] for row in rows],
        rows=rows,
        summaries=summarise_cells(rows),
        comparisons=compare_methods(rows, ledger.evidence),
        ranking=rank_methods(rows),
        paid=break_even(rows),
        chance=random_reference(rows),
    )


def headline(results: Results) -> list[str]:
    """The findings in plain sentences: what each keep costs in mAP and saves, beside chance and beside equal steps."""
    full = next((item for item in results.summaries if item.method == "full"), None)
    reduced = [item for item in results.summaries if item.method not in ("full", EQUAL_ITERATIONS)]
    sentences = []
    if full is not None:
        sentences.append(
            f"All {full.images} images give mAP50-95 {_figure(full)} ({_seeds(full.cells)}){_evaluated(results)}."
        )
    keeps = {repr(item.keep): item for item in reduced}
    for _, example in sorted(keeps.items(), key=lambda entry: -entry[1].images):
        group = [item for item in reduced if repr(item.keep) == repr(example.keep)]
        sentences.append(_keep_sentence(results, group, full))
    if not sentences:
        sentences = [f"{_plural(len(results.rows), 'training')} finished."]
    return sentences


def _keep_sentence(results: Results, group: Sequence[Summary], full: Summary | None) -> str:
    chance = next((item for item in group if item.method == results.chance), None)
    shown = chance or group[0]
    of = f" of {full.images}" if full else ""
    text = f"Keep {keep_in_words(shown.keep)} ({shown.images}{of} images): "
    who = f"a random subset ({shown.method})" if chance else shown.method
    text += f"{who} gives mAP50-95 {_figure(shown)} ({_seeds(shown.cells)})"
    if full:
        loss = shown.against_full.get(MEASURE, math.nan)
        text += f", {abs(loss):.3f} {'below' if loss < 0 else 'above'} all images" + _saving(shown)
    text += "."
    equal = next((item for item in results.summaries if _is_equal(item, shown)), None)
    if equal is not None:
        text += f" As many training steps on all images give {_figure(equal)}."
    text += _beside_chance(results, group)
    return text


def _is_equal(item: Summary, shown: Summary) -> bool:
    return item.method == EQUAL_ITERATIONS and repr(item.keep) == repr(shown.keep)


def _beside_chance(results: Results, group: Sequence[Summary]) -> str:
    if results.chance is None:
        return " Nothing stands for chance here (srs or random), so no method can be judged."
    found = [item for summary in group if (item := results.difference(summary, results.chance)) is not None]
    if not found:
        return ""
    parts = []
    for word in ("better", "worse"):
        named = [item for item in found if item.verdict.startswith(word)]
        if named:
            listed = ", ".join(f"{item.method} ({item.difference:+.3f})" for item in named)
            parts.append(f" Shown {word} than random: {listed}.")
    if not any("better" in part for part in parts):
        said = {item.verdict for item in found if not item.verdict.startswith("worse")}
        if len(found) == 1 and said:
            parts.append(f" {found[0].method} beside random ({found[0].difference:+.3f}): {said.pop()}.")
        else:
            parts.append(f" None of the {len(found)} other ways to choose is shown better than random.")
    return "".join(parts)


def _saving(summary: Summary) -> str:
    for name, words in (("Wh", "training energy"), ("TFLOPs", "computation")):
        ratio = summary.against_full.get(name, math.nan)
        if math.isfinite(ratio):
            return f", with {100 * abs(1 - ratio):.0f} % {'less' if ratio < 1 else 'more'} {words}"
    return ""


def _figure(summary: Summary) -> str:
    mean, spread = summary.mean[MEASURE], summary.spread[MEASURE]
    if math.isnan(mean):
        return "not known"
    return f"{mean:.3f}" + (f" ± {spread:.3f}" if math.isfinite(spread) else "")


def _evaluated(results: Results) -> str:
    splits = sorted({str(row["evaluated_on"]) for row in results.rows if row.get("evaluated_on")})
    return f", measured on {' or '.join(splits)}" if splits else ""


def _seeds(count: int) -> str:
    return _plural(count, "training")


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def energy_by_method(results: Results) -> list[tuple[str, dict[str, float]]]:
    """For each method and keep the mean Wh of every phase, of the cells that ran alone; empty where none did."""
    groups: dict[tuple[str, str], list[tuple[Row, FinishedCell]]] = {}
    for row, cell in zip(results.rows, results.cells, strict=True):
        if not row.get("overlapped") and row.get("Wh") is not None:
            groups.setdefault((row["label"], repr(row["keep"])), []).append((row, cell))
    found = []
    for summary in results.summaries:
        group = groups.get((summary.method, repr(summary.keep)))
        if group:
            parts = {phase: _mean_wh([cell for _, cell in group], phase) for phase in PHASES}
            label = summary.method if summary.method == "full" else f"{summary.method}  {keep_in_words(summary.keep)}"
            found.append((label, {phase: wh for phase, wh in parts.items() if wh > 0}))
    return found


def _mean_wh(cells: Sequence[FinishedCell], phase: str) -> float:
    return math.fsum(_phases(cell)[phase].wh or 0.0 for cell in cells if phase in _phases(cell)) / len(cells)


def _phases(cell: FinishedCell) -> dict[str, PhaseEnergy]:
    return {**cell.choosing, **cell.training.energy}


def energy_provenance(results: Results) -> list[dict[str, Any]]:
    """For each phase and component how its Wh came about, and their sum over the cells that ran alone."""
    found: dict[tuple[str, str, str, str], list[Any]] = {}
    for row, cell in zip(results.rows, results.cells, strict=True):
        if row.get("overlapped"):
            continue
        for phase, energy in _phases(cell).items():
            for name, part in together([energy]).components.items():
                held = found.setdefault((phase, name, part.provenance, part.method), [0.0, 0])
                held[0] += part.wh
                held[1] += 1
    order = {phase: place for place, phase in enumerate(PHASES)}
    return [
        {
            "phase": phase,
            "component": name.upper(),
            "provenance": provenance,
            "method": method,
            "wh": wh,
            "cells": cells,
        }
        for (phase, name, provenance, method), (wh, cells) in sorted(
            found.items(), key=lambda entry: (order.get(entry[0][0], 99), entry[0])
        )
    ]
