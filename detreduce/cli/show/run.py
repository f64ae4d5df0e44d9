"""Print the plan and the results of the command `run`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import show_problems, show_status, show_table, show_text
from detreduce.display.numbers import counted, fixed
from detreduce.display.terminal_text import ERROR, GOOD, WARNING
from detreduce.vocabulary.controls import CONTROLS, EQUAL_ITERATIONS, FULL, title_of
from detreduce.vocabulary.keeps import keep_of

if TYPE_CHECKING:
    from detreduce.experiment.config import ExperimentConfig
    from detreduce.experiment.overview import Overview
    from detreduce.experiment.results.conclusion import Conclusion
    from detreduce.experiment.results.outcome import Outcome
    from detreduce.experiment.run import PreparedExperiment


def show_plan(plan: Overview, *, stderr: bool) -> None:
    """Print how many cells there are for each method and keep, and what the cells that still have to run will cost.

    If `stderr` is True, print only the table, and print it on stderr.
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
    """Print the results of the finished cells, with warnings."""
    from detreduce.cli.show.comparison import show_comparison, show_robustness
    from detreduce.cli.show.differences import show_differences
    from detreduce.cli.show.duplicates import show_leakage
    from detreduce.cli.show.leaks import show_leaks
    from detreduce.experiment.results.cleaning import only_cleans
    from detreduce.experiment.results.outcome import provenance_in_words
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
    """Say how to choose the country for the CO2 estimate. If the user has chosen one, return an empty string."""
    if "energy" in settings.model_fields_set and "country" in settings.energy.model_fields_set:
        return ""
    return " For another country, set energy: {country: DEU} in the YAML before the trainings run."


def show_conclusion(conclusion: Conclusion, ledger: Path) -> None:
    """Print the conclusion of the experiment, and which further runs would make it more certain."""
    out = terminal.console()
    style = {"better": GOOD, "worse": ERROR}.get(conclusion.kind, WARNING)
    out.print()
    show_status(out, f"Conclusion: {conclusion.sentence}", style)
    command = conclusion.command(_short(ledger))
    if conclusion.next:
        show_text(out, f"To know more: {conclusion.next}")
    if command:
        # print a command on one line, so that it can be copied
        out.print(f"  {command}", soft_wrap=True)


def near_duplicates_line(found: Mapping[str, Any]) -> str:
    """Return a sentence that says how many near-duplicates the experiment found among the training images."""
    if "redundant" not in found:
        return f"Near-duplicates in train: no search{_because(found)}."
    if not found["redundant"]:
        return f"Near-duplicates in train: none among {counted(found['images'], 'image')}."
    return f"Near-duplicates in train: {found['redundant']} of {found['images']} images repeat another image."


def _because(search: Mapping[str, Any]) -> str:
    """Return ``, because ...`` with the reason why the search was skipped.

    If the search was not skipped, return an empty string.
    """
    return f", because {search['skipped']}" if "skipped" in search else ""


def show_next(prepared: PreparedExperiment) -> None:
    """Print the command that the user should run next.

    If all cells are finished, it is the command that writes the report. Otherwise it continues with the remaining
    cells.
    """
    out = terminal.console()
    folder = shlex.quote(str(_short(prepared.ledger.path)))
    report = f"detreduce report {folder}"
    missing = len(prepared.missing)
    elsewhere = sum(cell.key not in prepared.ledger for cell in prepared.plan) - missing
    # print a command on one line, so that it can be copied
    if missing:
        out.print(f"Next: the same command continues with the {missing} remaining cells.", soft_wrap=True)
    elif elsewhere:
        merge = f"detreduce ledger merge OTHER {folder}"
        out.print(
            f"Next: {merge} adds the {counted(elsewhere, 'cell')} of other shards. Then run {report}", soft_wrap=True
        )
    else:
        out.print(f"Next: {report}", soft_wrap=True)


def _short(path: Path) -> Path:
    """Return the path relative to the working folder if it is inside this folder, or else the path itself."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _cost(cells: int, seconds: float | None, wh: float | None) -> tuple[str, str]:
    """Return (minutes, watt-hours) as text: ``?`` if they are not known, or empty if no cell has to run."""
    if not cells:
        return "", ""
    return "?" if seconds is None else fixed(seconds / 60, 1), "?" if wh is None else fixed(wh, 2)
