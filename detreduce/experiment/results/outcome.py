"""The outcome of an experiment: means, comparisons, ranks, break-even and warnings, computed from the finished
cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from detreduce.dataset.health.leaks import TRAIN
from detreduce.dataset.health.problem_counts import ProblemCounts
from detreduce.experiment.cells import Cell
from detreduce.experiment.consistency import inconsistencies
from detreduce.experiment.data_problems import read_problems
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.ledger.ledger import Ledger, finished_rows
from detreduce.experiment.ledger.unfinished import count_unfinished
from detreduce.experiment.results.result_table import ResultTable, result_table
from detreduce.experiment.results.robustness import RobustnessTable, robustness_table
from detreduce.experiment.searches.dropped_leaks import read_dropped
from detreduce.experiment.searches.leakage import read_leakage
from detreduce.experiment.searches.leaks import LeakWarning, SharedImages, leak_warning, read_leaks, shared_images
from detreduce.experiment.searches.near_duplicates import read_near_duplicates
from detreduce.experiment.statistics.break_even import BreakEven, break_even, choosing_wh
from detreduce.experiment.statistics.comparison import Comparison, compare_methods
from detreduce.experiment.statistics.pairs import random_reference
from detreduce.experiment.statistics.ranks import MethodRanks, rank_methods
from detreduce.experiment.statistics.same_images import same_choices, same_images_notes
from detreduce.experiment.statistics.summary import Summary, summarise_cells
from detreduce.machine.json_values import json_text
from detreduce.training.energy import PhaseEnergy
from detreduce.vocabulary.controls import FULL
from detreduce.vocabulary.keeps import keep_key
from detreduce.vocabulary.measures import ACCURACIES, LEAST_MAP
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE

Row = Mapping[str, Any]
PHASES = (
    "duplicates", "features", "proxy training", "selection", "stream", "training", "validation", "evaluation",
    "robustness",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """The finished cells of a plan, and their statistics.

    Attributes
    ----------
    cells
        The finished cells, sorted by key.
    rows
        The tidy row of each cell, in the same order.
    summaries
        The mean results of each method at each keep, and their differences to the control `full`.
    comparisons
        Comparisons of each method with random subsets and with the equal-steps control.
    ranking
        The average ranks of the methods. None if the methods cannot be ranked.
    paid
        The break-even of each method at each keep.
    random
        The label of the random subsets that methods are compared with. None if there are no random subsets.
    leakage
        The content of ``leakage.json`` in the ledger: images that are in several splits. Empty if there was no search.
    notes
        Warnings about differences between cells that should not differ, for example in the versions of packages.
    lost
        The comparison of each method and each other control with `full`. Empty if `full` was not trained.
    near_duplicates
        The content of ``near-duplicates.json`` in the ledger: near-duplicates in the train split. Empty if there was no
        search.
    problems
        The numbers of problems in the data, from ``problems.json`` in the ledger. None if there is no such file.
    leaks
        A warning that images of val or test are also in train. None if no such image is known.
    dropped
        A sentence about images that no training used, because they are also in val or test. Empty if there was no
        search.
    left_out
        Number of images that no training used because they are also in val or test.
    shared
        Images that are in both val and test. They count twice in results on val+test.
    unfinished
        Number of planned cells that are not finished, and number of all planned cells.
    """

    cells: Sequence[FinishedCell]
    rows: Sequence[Row]
    summaries: Sequence[Summary]
    comparisons: Sequence[Comparison]
    ranking: MethodRanks | None
    paid: Sequence[BreakEven]
    random: str | None
    leakage: Mapping[str, Any]
    notes: Sequence[str]
    lost: Sequence[Comparison] = ()
    near_duplicates: Mapping[str, Any] = field(default_factory=dict)
    problems: ProblemCounts | None = None
    leaks: LeakWarning | None = None
    dropped: str = ""
    left_out: int = 0
    shared: Sequence[SharedImages] = ()
    unfinished: tuple[int, int] = (0, 0)

    @cached_property
    def table(self) -> ResultTable:
        """The table of results, with one row for every method at every keep."""
        table = result_table(self.summaries, [*self.comparisons, *self.lost], self.paid)
        return replace(table, notes=(*table.notes, *same_images_notes(self.rows)))

    @cached_property
    def nothing_learnt(self) -> str:
        """A sentence to print instead of all comparisons if every mAP is 0. Otherwise an empty string."""
        if not self.summaries or not all(item.mean[MEASURE] < LEAST_MAP for item in self.summaries):
            return ""
        return (
            f"{ACCURACIES[MEASURE]} is 0 in every training, so no training learnt anything and no comparison is "
            "possible. The trainings are too short."
        )

    @property
    def all_overlapped(self) -> bool:
        """Whether every training overlapped another training on its machine, so that no energy can be compared."""
        return bool(self.rows) and all(row.get("overlapped") for row in self.rows)

    @cached_property
    def robustness(self) -> RobustnessTable:
        """The table of mAP on corrupted images. It has no rows if no cell was evaluated on corrupted images."""
        return robustness_table(self.rows)

    def difference(self, summary: Summary, against: str, measure: str) -> Comparison | None:
        """Return the comparison of one method at one keep (`summary`) with the reference `against`, or None.

        `measure` is ``mAP50`` or ``mAP50_95``.
        """
        for item in (*self.comparisons, *self.lost):
            same = item.method == summary.method and keep_key(item.keep) == keep_key(summary.keep)
            if same and item.against == against and item.measure == measure:
                return item
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as a dict that can be written as JSON. The cells are tidy rows."""
        return {
            "cells": [dict(row) for row in self.rows],
            "summaries": [asdict(item) for item in self.summaries],
            "comparisons": [item.row() for item in self.comparisons],
            "lost": [item.row() for item in self.lost],
            "ranking": asdict(self.ranking) if self.ranking is not None else None,
            "break_even": [{**asdict(item), "trainings": item.trainings} for item in self.paid],
            "energy": energy_provenance(self),
            "leakage": {name: self.leakage.get(name) for name in ("counts", "threshold") if name in self.leakage},
            "leaks": self.leaks.to_dict() if self.leaks is not None else None,
            "dropped_leaks": self.dropped or None,
            "same_images": [{"keep": keep, "methods": list(names)} for keep, names in same_choices(self.rows)],
            "near_duplicates": {
                name: self.near_duplicates[name]
                for name in ("images", "redundant", "exact", "threshold", "skipped")
                if name in self.near_duplicates
            },
            "problems": self.problems.to_dict() if self.problems is not None else None,
            "robustness": self.robustness.to_dict(),
            "notes": list(self.notes),
        }


def outcome_of(ledger: Ledger, cells: Iterable[Cell] | None = None) -> Outcome:
    """Read the finished cells from a ledger, and compare them.

    `cells` are the planned cells; by default, the latest plan in the ledger. This takes seconds for hundreds of cells.
    Raise InputError if the plan or a cell cannot be read.
    """
    rows, leakage, leaks = finished_rows(ledger, cells), read_leakage(ledger), read_leaks(ledger)
    dropped = read_dropped(ledger)
    found = [ledger[row["key"]] for row in rows]
    compared = compare_methods(rows, ledger.evidence, full=True)
    return Outcome(
        cells=found,
        rows=rows,
        summaries=summarise_cells(rows),
        comparisons=[item for item in compared if item.against != FULL],
        lost=[item for item in compared if item.against == FULL],
        ranking=rank_methods(rows),
        paid=break_even(rows),
        problems=read_problems(ledger),
        random=random_reference(rows),
        leakage=leakage,
        leaks=leak_warning(leakage, leaks, dropped=bool(dropped)),
        dropped=dropped.get("line", ""),
        left_out=len(dropped.get("images", ())),
        shared=[one for one in shared_images(leakage, leaks) if one.earlier != TRAIN],
        near_duplicates=read_near_duplicates(ledger),
        notes=inconsistencies(found),
        unfinished=count_unfinished(ledger),
    )


def energy_by_method(outcome: Outcome) -> list[tuple[Summary, dict[str, float]]]:
    """Return the mean energy of every phase, in Wh, for each method at each keep.

    Only cells that ran alone on their machine are used. A cell is left out if the energy of its training or of choosing
    is not known. A phase is left out if it took no energy.
    """
    groups: dict[tuple[str, str], list[tuple[Row, FinishedCell]]] = {}
    for row, cell in zip(outcome.rows, outcome.cells, strict=True):
        if not row.get("overlapped") and row.get("Wh") is not None and choosing_wh([row]) is not None:
            groups.setdefault((row["label"], keep_key(row["keep"])), []).append((row, cell))
    found = []
    for summary in outcome.summaries:
        group = groups.get((summary.method, keep_key(summary.keep)))
        if group:
            parts = {phase: _mean_wh([cell for _, cell in group], phase) for phase in PHASES}
            found.append((summary, {phase: wh for phase, wh in parts.items() if wh > 0}))
    return found


def _mean_wh(cells: Sequence[FinishedCell], phase: str) -> float:
    """Return the mean energy of a phase over these cells, in Wh. A cell without this phase counts as 0 Wh."""
    return math.fsum(_phases(cell)[phase].wh or 0.0 for cell in cells if phase in _phases(cell)) / len(cells)


def _phases(cell: FinishedCell) -> dict[str, PhaseEnergy]:
    """Return the energy of each phase of a cell: choosing, training, validation and evaluation."""
    return {**cell.choosing, **cell.training.energy}


def energy_provenance(outcome: Outcome) -> list[dict[str, Any]]:
    """Return one dict for each phase and hardware component, which says how its energy was obtained.

    For example, the energy of the GPU in the phase ``training`` may be measured, modelled or constant.

    Each dict includes the energy in Wh, summed over the cells that ran alone on their machine. Work that several cells
    share, such as the extraction of features, counts once.
    """
    sums: dict[tuple[str, str, str, str], list[Any]] = {}
    counted: set[str] = set()
    for row, cell in zip(outcome.rows, outcome.cells, strict=True):
        if row.get("overlapped"):
            continue
        for phase, energy in _phases(cell).items():
            made = f"{phase} {json_text(energy.model_dump(mode='json'), indent=None)}"
            again = phase in cell.choosing and made in counted
            counted.add(made)
            for name, part in energy.components.items():
                total = sums.setdefault((phase, name, part.provenance, part.method), [0.0, 0])
                total[0] += 0.0 if again else part.wh
                total[1] += 1
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
            sums.items(), key=lambda entry: (order.get(entry[0][0], 99), entry[0])
        )
    ]


def provenance_in_words(outcome: Outcome) -> str:
    """Return a sentence that says how the energy of the trainings was obtained.

    The sentence gives the share of each component, for example ``Wh of training: GPU measured (80%), CPU modelled
    (20%).``

    If the energy of no training is known, return an empty string.
    """
    parts: dict[tuple[str, str], float] = {}
    for item in energy_provenance(outcome):
        if item["phase"] == "training":
            key = item["component"], item["provenance"]
            parts[key] = parts.get(key, 0.0) + item["wh"]
    total = math.fsum(parts.values())
    if not total:
        return ""
    shares = ", ".join(
        f"{component} {provenance} ({wh / total:.0%})"
        for (component, provenance), wh in sorted(parts.items(), key=lambda entry: -entry[1])
    )
    measured = any(provenance == "measured" for _, provenance in parts)
    return f"Wh of training: {shares}{'' if measured else '; no part is measured'}."
