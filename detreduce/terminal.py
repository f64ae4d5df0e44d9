"""What a person sees in the terminal: rich tables over the data classes of the package."""

from __future__ import annotations

import math
import shlex
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from detreduce.experiment.statistics import Summary
from detreduce.terminal_differences import show_differences

if TYPE_CHECKING:
    from detreduce.dataset.checks import DatasetSummary
    from detreduce.dataset.write import SubsetReport
    from detreduce.experiment.statistics.break_even import BreakEven
    from detreduce.experiment.statistics.comparison import Comparison
    from detreduce.experiment.statistics.ranks import Ranking
    from detreduce.proxy_log import ProxyLog
    from detreduce.reducers.description import Description
    from detreduce.representativeness import Representativeness
    from detreduce.selection import Selection
    from detreduce.training.record import TrainingRecord

# name in the rows, heading, digits, how the difference to full is shown
Measure = tuple[str, str, int, Callable[[float | None], str]]

# field of Representativeness, what it is called
MEASURES = {
    "epsilon": "epsilon",
    "covering_radius": "covering radius",
    "coverage": "coverage",
    "discrepancy": "discrepancy",
    "diagram_distance": "diagram distance",
    "class_divergence": "class divergence",
    "size_divergence": "size divergence",
}
SHAPES = {0: "gaps", 1: "loops"}

# piped output keeps whole rows: a script reads lines, not a screen
PIPED_WIDTH = 200
# longer lines of prose are hard to follow
READABLE = 80
# narrower terminals show wide tables in parts, one below the other
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


def show_methods(methods: Sequence[Description]) -> None:
    """List the methods: a table on a wide terminal, else a line for each fact, which reads well in a pipe too."""
    from detreduce.reducers.description import SYMBOLS

    out = console()
    if out.is_terminal and out.width >= WIDE:
        table = _table("method", "family", *(label for label, _ in _facts(methods[0])))
        for method in methods:
            table.add_row(method.name, method.family, *(text for _, text in _facts(method)))
            table.add_section()
        out.print(table)
    else:
        for method in methods:
            _show_facts(out, method, out.width)
    _show_text(out, f"Cost: {SYMBOLS}", out.width)
    out.print("One method in full: detreduce methods mms")


def show_method(method: Description) -> None:
    """Show one method in full: what it declares, its formula, its parameters, a command to begin with."""
    from detreduce.reducers.description import SYMBOLS, shown

    out = console()
    width = min(out.width, READABLE)
    _show_facts(out, method, width)
    for paragraph in method.about:
        out.print()
        _show_text(out, paragraph, width)
    out.print()
    for trait in method.traits:
        _show_text(out, trait, width, first="- ", indent="  ")
    out.print("\nParameters", style="bold")
    for parameter in method.parameters:
        option = f"{parameter.option}, in Python " if parameter.option else ""
        out.print(f"  {option}{parameter.name}={shown(parameter.default)}", soft_wrap=True)
        _show_text(out, parameter.text, width, indent=" " * 6)
    out.print("\nExample", style="bold")
    out.print(f"  {method.example}", soft_wrap=True)
    out.print()
    _show_text(out, f"Cost: {SYMBOLS}", width)


def _facts(method: Description) -> tuple[tuple[str, str], ...]:
    return (
        ("keeps", f"{method.keeps}: {method.summary}" if method.keeps else method.summary),
        ("needs", ", ".join(method.needs) or "nothing"),
        ("cost", method.cost),
        ("fails", method.fails),
        ("source", method.source),
    )


def _show_facts(out: Console, method: Description, width: int) -> None:
    out.print(method.name, style="bold", end="")
    out.print(f" ({method.family})")
    for label, text in _facts(method):
        if text:
            _show_text(out, text, width, first=f"  {label:8}", indent=" " * 10)


def _show_text(out: Console, text: str, width: int, *, first: str | None = None, indent: str = "") -> None:
    """Print text broken at words, without the spaces to the right that a table would fill up with."""
    lead = indent if first is None else first
    lines = textwrap.wrap(text, width, initial_indent=lead, subsequent_indent=indent, break_on_hyphens=False)
    for line in lines:
        out.print(line, soft_wrap=True)


def show_comparison(
    name: str,
    summaries: Sequence[Summary],
    comparisons: Sequence[Comparison] | None = None,
    ranking: Ranking | None = None,
    paid: Sequence[BreakEven] = (),
) -> None:
    """Show every method at every keep beside full: accuracy, energy, CO2, time; then beside chance, with verdicts."""
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
            count = f"{row.cells}" + f" ({row.overlapped}*)" * bool(row.overlapped)
            keep = "all" if row.method == "full" else f"{row.keep}"
            cells = [row.method, keep, f"{row.images}", count]
            for measure, _, digits, show in measures:
                cells += [_with_spread(row, measure, digits), show(row.against_full.get(measure))]
            table.add_row(*cells)
        out.print(table)
    if any(row.cells > 1 for row in summaries):
        out.print("Means over cells; ± is the standard deviation between them.")
    if any(row.overlapped for row in summaries):
        out.print("* ran beside another training on one machine: Wh, g CO2 and minutes are of the other cells alone.")
    if any(row.method == "full_equal_iterations" for row in summaries):
        out.print("full_equal_iterations: all images, in as many batches and optimiser steps as that keep.")
    show_break_even(out, paid)
    if comparisons is not None and any(not row.is_control for row in summaries):
        show_differences(out, comparisons, ranking)


def show_break_even(out: Console, paid: Sequence[BreakEven]) -> None:
    """Show after how many trainings each method's choosing has paid for itself, where it costs anything."""
    paid = [item for item in paid if item.choosing_wh >= 0.005]
    if not paid:
        return
    table = _table("method", "keep", "choosing, Wh", "saved a training, Wh", "pays after", right=4)
    for item in paid:
        count = math.inf if math.isinf(item.trainings) else math.ceil(item.trainings)
        after = "never" if math.isinf(count) else f"{count} training{'s' * (count > 1)}"
        table.add_row(item.method, f"{item.keep}", f"{item.choosing_wh:.2f}", f"{item.saved_wh:.2f}", after)
    out.print(table)


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


def show_proxy(log: ProxyLog, output: Path) -> None:
    """Show how a proxy came to know the boxes, what it cost, and what to type next."""
    out = console()
    table = _table("epoch", "mean IoU", "mean confidence", "mean loss", right=4)
    boxes = bool(len(log.box_images))
    for epoch in range(log.epochs if boxes else 0):
        values = (log.iou[epoch], log.confidence[epoch], log.loss[epoch])
        table.add_row(f"{epoch + 1}", *(f"{float(value.mean(dtype='f8')):.3f}" for value in values))
    out.print(table)
    energy = log.facts.get("energy", {})
    cost = f"{_number(energy.get('seconds', math.nan) / 60, 1)} minutes, {_number(energy.get('wh'), 2)} Wh"
    out.print(f"{len(log.box_images)} boxes in {len(log.image_ids)} images; {cost}. Log: {output}", soft_wrap=True)
    for warning in log.facts.get("warnings", ()):
        out.print(f"Warning: {warning}", soft_wrap=True)
    data = shlex.quote(str(log.facts.get("data", {}).get("path", "data.yaml")))
    chosen_by = f"--method vps --proxy {shlex.quote(str(output))}"
    out.print(f"Next: detreduce reduce {data} {chosen_by} --output reduced/", soft_wrap=True)


def show_reduced(
    selection: Selection, report: SubsetReport, measured: Representativeness, output: Path, next_data: Path | None
) -> None:
    """Show what a selection kept of each category and class, how well it stands for all, and what to type next."""
    out = console()
    out.print(f"{selection.method} kept {len(selection)} of {len(selection.scores)} images: {output}")
    by_features = measured.epsilon is not None
    more = ("epsilon", "covering radius", "coverage") if by_features else ()
    table = _table("category", "images", "kept", "share", *more, right=3 + len(more))
    for one in measured.categories:
        cells = [one.name, f"{one.images}", f"{one.kept}", _share(one.kept, one.images)]
        if by_features:
            cells += [_digits(one.epsilon), _digits(one.covering_radius), _percentage(one.coverage)]
        table.add_row(*cells)
    out.print(table)
    show_representativeness(out, measured)
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


def show_representativeness(out: Console, measured: Representativeness) -> None:
    """Show how well a selection stands for all images: each measure, what it is compared with and what it means."""
    if measured.lost:
        lost = ", ".join(f"{one.name} ({one.images} images)" for one in measured.categories if not one.kept)
        out.print(f"Nothing is kept of {lost}: keep more, or make fewer categories.")
    table = _table("stands for all", "value", "compare", "what it says")
    table.columns[1].justify = "right"
    for row in _measure_rows(measured):
        table.add_row(*row)
    if table.rows:
        out.print(table)
        typical = "; typical: between two images" if measured.between_images else ""
        out.print(f"random: as many images drawn at random{typical}.")
    found = [(name, getattr(measured, field)) for field, name in MEASURES.items()]
    if sampled := [f"{name} ({one.images} images)" for name, one in found if one is not None and not one.exact]:
        out.print(f"From a seeded sample: {', '.join(sampled)}.")
    for reason in dict.fromkeys(measured.absent.values()):
        names = ", ".join(name for field, name in MEASURES.items() if measured.absent.get(field) == reason)
        out.print(f"Not measured, since {reason}: {names}.")
    if measured.unknown_sizes:
        out.print(
            f"Boxes left out of the size divergence, as their images' sizes are unknown: {measured.unknown_sizes}."
        )


def _measure_rows(measured: Representativeness) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, value, what to compare it with and meaning of each number that was measured."""
    between = measured.between_images or {}
    for field, by, meaning in (
        ("epsilon", "chebyshev", "worst image to nearest kept one of its category, in the worst feature: 0 is best"),
        ("covering_radius", "euclidean", "the same in all features together: 0 is best"),
    ):
        if found := getattr(measured, field):
            yield MEASURES[field], _digits(found.value), f"{_digits(between.get(by))} typical", meaning
    if cover := measured.coverage:
        meaning = f"images with a kept one among the {cover.neighbours} nearest of their category: 100% is best"
        yield MEASURES["coverage"], _percentage(cover.value), f"{_percentage(cover.at_random)} random", meaning
    if mean := measured.discrepancy:
        meaning = "of the features' distribution (MMD): 0 is none, 1.41 the most"
        yield MEASURES["discrepancy"], _digits(mean.value), f"{_digits(mean.at_random)} random", meaning
    if shape := measured.diagram_distance:
        for dim, value in shape.by_dimension.items():
            meaning = f"of the {SHAPES.get(dim, 'holes')} in the features ({shape.metric}, H{dim}): 0 is none"
            beside = f"{_digits(shape.at_random_by_dimension[dim])} random"
            yield MEASURES["diagram_distance"], _digits(value), beside, meaning
    for field, what in (("class_divergence", "classes"), ("size_divergence", "sizes")):
        if found := getattr(measured, field):
            meaning = f"of the boxes' {what}, in bits: 0 is none, 1 the most"
            yield MEASURES[field], _digits(found.value), f"{_digits(found.at_random)} random", meaning


def _digits(value: float | None) -> str:
    """Three decimals where they say something; never an exponent."""
    if value is None:
        return ""
    if math.isinf(value):
        return "infinite"
    if 0.0 < value < 0.0005:
        return "< 0.001"
    return f"{value:.3f}" if value < 10.0 else f"{value:.1f}" if value < 1000.0 else f"{value:.0f}"


def _percentage(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


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
