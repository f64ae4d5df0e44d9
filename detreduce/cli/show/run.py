"""Print the plan and the results of the command `run`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import show_problems, show_status, show_table, show_text
from detreduce.display.numbers import fixed
from detreduce.display.terminal_text import ERROR, GOOD, WARNING
from detreduce.vocabulary.controls import CONTROLS, EQUAL_ITERATIONS, FULL, title_of
from detreduce.vocabulary.keeps import keep_of

if TYPE_CHECKING:
    from detreduce.experiment.conclusion import Conclusion
    from detreduce.experiment.config import ExperimentConfig
    from detreduce.experiment.outcome import Outcome
    from detreduce.experiment.overview import Overview
    from detreduce.experiment.run import PreparedExperiment


def show_plan(plan: Overview, *, stderr: bool) -> None:
    """Print the number of cells for each method and keep, with the expected cost of the cells to run.

    If `stderr` is True, print only the table, on stderr.
    """
    out = terminal.console(stderr=stderr)
    table = Table(header_style="bold")
    for place, heading in enumerate(("method", "keep", "cells", "finished", "to run", "minutes", "Wh")):
        table.add_column(heading, overflow="fold", justify="right" if place else "left")
    for share in plan.shares:
        keep = keep_of(share.method, share.keep)
        counts = [f"{share.cells}", f"{share.reused}", f"{share.to_run}"]
        table.add_row(title_of(share.method), keep, *counts, *_cost(share.to_run, share.seconds, share.wh))
    counts = [f"{plan.cells}", f"{plan.reused}", f"{plan.to_run}"]
    table.add_row("together", "", *counts, *_cost(plan.to_run, plan.seconds, plan.wh), style="bold")
    show_table(out, table)
    if not stderr:
        for sentence in plan.explanations():
            show_text(out, sentence, style="dim")
        show_text(out, plan.in_words())


def show_outcome(settings: ExperimentConfig, outcome: Outcome) -> None:
    """Print the results of the finished cells, and warnings."""
    from detreduce.cli.show.comparison import show_comparison, show_robustness
    from detreduce.cli.show.differences import show_differences
    from detreduce.cli.show.duplicates import show_leakage
    from detreduce.cli.show.leaks import show_leaks
    from detreduce.experiment.conclusion import only_cleans
    from detreduce.experiment.outcome import provenance_in_words
    from detreduce.training.energy import carbon_intensity

    show_leaks(outcome.leaks)
    show_comparison(settings.name, outcome.table)
    out = terminal.console()
    if outcome.nothing_learnt:
        show_status(out, f"Warning: {outcome.nothing_learnt}", WARNING)
    elif any(not row.is_control for row in outcome.table.rows):
        cleaning = only_cleans(outcome)
        show_differences(out, outcome.table, outcome.comparisons, outcome.ranking, cleaning=cleaning)
    show_robustness(out, outcome.robustness)
    if how := provenance_in_words(outcome):
        show_text(out, how)
    show_text(out, carbon_intensity(settings.energy.country) + _other_country(settings))
    for note in outcome.notes:
        show_status(out, f"Warning: {note}", WARNING)
    if outcome.problems is not None:
        show_problems(out, outcome.problems)
    if EQUAL_ITERATIONS not in settings.controls:
        show_text(
            out,
            f"{CONTROLS[EQUAL_ITERATIONS].words.capitalize()} is missing. To add it, use controls: "
            f"[{FULL}, {EQUAL_ITERATIONS}].",
        )
    if settings.evaluate.choose == "best" and any("val" in str(row.get("evaluated_on")) for row in outcome.rows):
        show_status(
            out,
            "Warning: The epochs were chosen on val, and the mAP is also measured on val. So the mAP values are too "
            "high.",
            WARNING,
        )
    found = outcome.near_duplicates
    style = "" if "redundant" not in found else WARNING if found["redundant"] else GOOD
    show_status(out, near_duplicates_line(found), style)
    if outcome.dropped:
        show_text(out, outcome.dropped)
    if "counts" in outcome.leakage:
        show_leakage(out, outcome.leakage["counts"])
    else:
        show_status(out, f"Leakage between splits: no search{_because(outcome.leakage)}.", "")


def _other_country(settings: ExperimentConfig) -> str:
    """Return a sentence on how to choose the country for the CO2 estimate, or "" if the user has chosen one."""
    if "energy" in settings.model_fields_set and "country" in settings.energy.model_fields_set:
        return ""
    return " For another country, set energy: {country: DEU} in the YAML before the trainings run."


def show_conclusion(conclusion: Conclusion, ledger: Path) -> None:
    """Print the conclusion of the experiment, and further runs that would make it more certain."""
    out = terminal.console()
    style = {"better": GOOD, "worse": ERROR}.get(conclusion.kind, WARNING)
    out.print()
    show_status(out, f"Conclusion: {conclusion.sentence}", style)
    command = conclusion.command(_short(ledger))
    if conclusion.next:
        show_text(out, f"To know more: {conclusion.next}")
    if command:
        # a command stays on one line, so that it can be copied
        out.print(f"  {command}", soft_wrap=True)


def near_duplicates_line(found: Mapping[str, Any]) -> str:
    """Return a sentence with the number of near-duplicates that the experiment found in the training images."""
    if "redundant" not in found:
        return f"Near-duplicates in train: no search{_because(found)}."
    if not found["redundant"]:
        return f"Near-duplicates in train: none among {found['images']} images."
    return f"Near-duplicates in train: {found['redundant']} of {found['images']} images repeat another image."


def _because(search: Mapping[str, Any]) -> str:
    """Return ``, because ...`` if the search was skipped, else an empty string."""
    return f", because {search['skipped']}" if "skipped" in search else ""


def show_next(prepared: PreparedExperiment) -> None:
    """Print the next command to type: the report if all cells are finished, else the command that continues."""
    out = terminal.console()
    folder = shlex.quote(str(_short(prepared.ledger.path)))
    report = f"detreduce report {folder}"
    missing = len(prepared.missing)
    elsewhere = sum(cell.key not in prepared.ledger for cell in prepared.plan) - missing
    # a command stays on one line, so that it can be copied
    if missing:
        out.print(f"Next: the same command continues with the {missing} remaining cells.", soft_wrap=True)
    elif elsewhere:
        merge = f"detreduce ledger merge OTHER {folder}"
        out.print(f"Next: {merge} adds the {elsewhere} cells of other shards. Then run {report}", soft_wrap=True)
    else:
        out.print(f"Next: {report}", soft_wrap=True)


def _short(path: Path) -> Path:
    """If a path is inside the working folder, return the path relative to this folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _cost(cells: int, seconds: float | None, wh: float | None) -> tuple[str, str]:
    """Return minutes and watt-hours as text: ``?`` if unknown, empty if there are no cells to run."""
    if not cells:
        return "", ""
    return "?" if seconds is None else fixed(seconds / 60, 1), "?" if wh is None else fixed(wh, 2)
