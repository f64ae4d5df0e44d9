"""What a person sees in the terminal: rich tables over the data classes of the package."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from detreduce.experiment.statistics import Summary

if TYPE_CHECKING:
    from detreduce.dataset.checks import DatasetSummary
    from detreduce.dataset.write import SubsetReport
    from detreduce.reducers.base import BaseReducer
    from detreduce.selection import Selection
    from detreduce.training.record import TrainingRecord

# name in the rows, heading, digits, how the difference to full is shown
Measure = tuple[str, str, int, Callable[[float | None], str]]

# piped output keeps whole rows: a script reads lines, not a screen
PIPED_WIDTH = 200
# narrower terminals show accuracy and cost one below the other
WIDE = 130


def console() -> Console:
    """The console of stdout, wide where it is not a terminal."""
    out = Console(highlight=False, markup=False)
    return out if out.is_terminal else Console(highlight=False, markup=False, width=PIPED_WIDTH)


def show_summary(summary: DatasetSummary, *, problems_shown: int | None) -> None:
    """Show what is in a dataset and what is wrong with it; `problems_shown` None lists every problem."""
    out = console()
    out.print(f"{summary.path} ({summary.format}), split {summary.split}")
    splits = ", ".join(f"{name} {count}" for name, count in summary.splits.items())
    facts = _table("images", "boxes", "crowd regions", "images without boxes", "splits (images)")
    labelled = (f"{summary.boxes}", f"{summary.crowd}", f"{summary.background}")
    facts.add_row(f"{summary.images}", *(labelled if summary.labelled else ("not labelled", "", "")), splits)
    out.print(facts)
    if summary.classes:
        classes = _table("class", "key in the files", "images", "boxes", "share of boxes", right=3)
        for row in summary.classes:
            classes.add_row(row.name, f"{row.key}", f"{row.images}", f"{row.boxes}", _share(row.boxes, summary.boxes))
        out.print(classes)
    if summary.side_quantiles:
        quantiles = ", ".join(f"{share:.0%}: {side:.3f}" for share, side in summary.side_quantiles.items())
        out.print(f"Box size, sqrt(box area / image area), by quantile: {quantiles}")
    if summary.sizes is not None:
        sizes = ", ".join(f"{name} {count}" for name, count in summary.sizes.items())
        out.print(f"Box size by COCO's bounds (32 and 96 pixels squared): {sizes}")
    shown = summary.problems[:problems_shown]
    out.print(f"Problems: {len(summary.problems) or 'none found'}")
    for problem in shown:
        out.print(f"  {problem}", soft_wrap=True)
    if len(shown) < len(summary.problems):
        out.print(f"  ... and {len(summary.problems) - len(shown)} more; --all lists them.")


def show_methods(classes: Sequence[type[BaseReducer]]) -> None:
    """List the methods with their family, needs, cost and source."""
    table = _table("method", "family", "chooses", "needs", "cost", "source")
    for cls in classes:
        table.add_row(cls.name, cls.family, cls.summary, ", ".join(cls.needs) or "nothing", cls.cost, cls.source)
    console().print(table)


def show_comparison(name: str, summaries: Sequence[Summary]) -> None:
    """Show every method at every keep beside full: accuracy, energy, CO2, time."""
    out = console()
    out.print(f"{name}: reduced beside full")
    accuracy: list[Measure] = [("mAP50", "mAP50", 3, _signed), ("mAP50_95", "mAP50-95", 3, _signed)]
    cost: list[Measure] = [
        ("Wh", "Wh", 2, _percent),
        ("g_co2", "g CO2", 2, _percent),
        ("minutes", "minutes", 1, _percent),
    ]
    wide = out.width >= WIDE
    for measures in [accuracy + cost] if wide else [accuracy, cost[:2], cost[2:]]:
        table = Table(header_style="bold", box=HEAVY_HEAD if wide else SIMPLE_HEAD, padding=(0, int(wide)))
        table.add_column("method", overflow="fold")
        for header in ("keep", "images", "cells"):
            table.add_column(header, justify="right")
        for _, header, _, _ in measures:
            table.add_column(header, justify="right")
            table.add_column("vs full", justify="right")
        for row in summaries:
            cells = [row.method, "all" if row.is_control else f"{row.keep}", f"{row.images}", f"{row.cells}"]
            for measure, _, digits, show in measures:
                cells += [_with_spread(row, measure, digits), show(row.against_full.get(measure))]
            table.add_row(*cells)
        out.print(table)
    if any(row.cells > 1 for row in summaries):
        out.print("Means over cells; ± is the standard deviation between them.")


def show_record(record: TrainingRecord) -> None:
    """Show what one training reached and cost."""
    row = record.row()
    table = _table("measure", "value")
    for label, key, digits in (
        ("mAP50", "mAP50", 3),
        ("mAP50-95", "mAP50_95", 3),
        ("precision", "precision", 3),
        ("recall", "recall", 3),
        ("energy (Wh)", "Wh", 2),
        ("CO2 (g)", "g_co2", 2),
        ("minutes", "minutes", 1),
        ("optimiser steps", "optimiser_steps", 0),
        ("images seen", "images_seen", 0),
    ):
        table.add_row(label, _number(row.get(key), digits))
    out = console()
    out.print(table)
    for component, part in record.energy["training"].components.items():
        out.print(f"Energy of the {component}: {part.wh:.2f} Wh, {part.provenance} ({part.method})")
    if (evaluation := record.evaluation) and (agreement := evaluation.agreement) and not agreement.ok:
        out.print(f"The two mAP figures differ by more than {agreement.tolerance}: {agreement.note}")
    for warning in record.warnings:
        out.print(f"Warning: {warning}")
    out.print(f"Run folder: {record.run}")


def show_reduced(selection: Selection, report: SubsetReport, output: Path, next_data: Path | None) -> None:
    """Show what a selection kept of each category and class, and what to type next."""
    out = console()
    out.print(f"{selection.method} kept {len(selection)} of {len(selection.scores)} images: {output}")
    table = _table("category", "images", "kept", "share", right=3)
    full, kept = selection.categories["full"], selection.categories["kept"]
    for name, count in full.items():
        table.add_row(name, f"{count}", f"{kept[name]}", _share(kept[name], count))
    out.print(table)
    if report.classes:
        table = _table("class", "images", "kept", "share", "boxes", "kept", "share", right=6)
        for row in report.classes:
            images, boxes = (row.images_kept, row.images_full), (row.boxes_kept, row.boxes_full)
            table.add_row(
                row.name, f"{images[1]}", f"{images[0]}", _share(*images), f"{boxes[1]}", f"{boxes[0]}", _share(*boxes)
            )
        out.print(table)
    for line in _redundancy(selection):
        out.print(line)
    for name, count in report.licences:
        out.print(f"Licence: {name}: {count} images")
    if next_data is None:
        out.print("Next: label these images.")
        return
    out.print(f"Next: detreduce train {shlex.quote(str(next_data))} --model yolo11n.pt epochs=50 imgsz=640")


def _redundancy(selection: Selection) -> list[str]:
    """What is known of duplicates, in words; nothing where there is nothing to say."""
    dropped = [step for step in selection.steps if step["step"] == "drop_duplicates"]
    if dropped:
        return [f"Left out before choosing: {dropped[0]['dropped']} images ({dropped[0]['what']})."]
    twice = selection.provenance.get("duplicates", {}).get("kept_twice", 0)
    return [f"{twice} of the kept files are copies of other kept files; --drop-duplicates leaves them out."] * bool(
        twice
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""


def _table(*headers: str, right: int = 0) -> Table:
    """Make a table; the last `right` columns hold numbers."""
    table = Table(header_style="bold")
    for place, header in enumerate(headers):
        table.add_column(header, overflow="fold", justify="right" if place >= len(headers) - right else "left")
    return table


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _with_spread(row: Summary, measure: str, digits: int) -> str:
    text = _number(row.mean[measure], digits)
    spread = row.spread[measure]
    return text if math.isnan(spread) else f"{text} ± {spread:.{digits}f}"


def _signed(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:+.3f}"


def _percent(ratio: float | None) -> str:
    return "" if ratio is None or math.isnan(ratio) else f"{(ratio - 1) * 100:+.0f} %"
