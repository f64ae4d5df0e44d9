"""Print the health, the content and the problems of a dataset, for `inspect`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import share, show_table, show_text, table_of
from detreduce.dataset.output_name import output_name

if TYPE_CHECKING:
    from detreduce.dataset.checks import DatasetSummary
    from detreduce.dataset.health.advice import Advice
    from detreduce.dataset.health.finding import Finding

STYLES = {"wrong": "bold red", "look": "yellow", "good": "green"}


def show_findings(summary: DatasetSummary, findings: Sequence[Finding]) -> None:
    """Print one line for each finding, with its verdict first."""
    from detreduce.dataset.health.finding import in_words

    out = terminal.console()
    show_text(out, f"{summary.path} ({summary.format}), split {summary.split}: {in_words(findings)}")
    for one in findings:
        text = f"{one.what} {one.advice}".strip()
        show_text(out, text, first=f"  {one.verdict:<5}  ", indent=" " * 9, style=STYLES[one.verdict])


def show_advice(advice: Advice) -> None:
    """Print the number of different images, the imbalance of the classes, and the results that were found for similar
    data.
    """
    out = terminal.console()
    out.print("For a training:")
    for sentence in advice.sentences:
        show_text(out, sentence, first="  ", indent="  ")


def show_next(given: str, findings: Sequence[Finding], *, opened: bool) -> None:
    """Print the next command to type.

    `given` is the dataset as the user typed it, because the full path can be long, for instance in the cache folder.
    `opened` is True if the command has opened the images.
    """
    out, data = terminal.console(), shlex.quote(given)
    bad = {one.check for one in findings if one.verdict != "good"}
    wrong = {one.check for one in findings if one.verdict == "wrong"}
    if wrong & {"leaks", "leaks by pixels"}:
        output = shlex.quote(output_name(Path(given), "without-leaks"))
        command = f"detreduce reduce {data} --keep all --drop-leaked --output {output}"
    elif bad & {"exact duplicates", "near-duplicates"}:
        command = f"detreduce reduce {data} --keep all --output clean"
    elif not opened:
        command = f"detreduce inspect {data} --check-images --page"
    else:
        command = f"detreduce reduce {data} --keep 0.25 --output reduced"
    # a command stays on one line, so that it can be copied
    out.print(f"Next: {command}", soft_wrap=True)


def show_summary(summary: DatasetSummary, *, problems_shown: int | None) -> None:
    """Print the content and the problems of a dataset. If `problems_shown` is None, all problems are listed."""
    out = terminal.console()
    splits = ", ".join(f"{name} {count}" for name, count in summary.splits.items())
    facts: dict[str, Any] = {"images": summary.images}
    if summary.labelled:
        facts |= {"boxes": summary.boxes, "crowd regions": summary.crowd, "images without boxes": summary.background}
    else:
        facts["boxes"] = "not labelled"
    facts["splits (images)"] = splits
    grid = Table.grid(padding=(0, 2))
    for label, value in facts.items():
        grid.add_row(f"  {label}", f"{value}")
    out.print(grid)
    if summary.classes:
        classes = table_of("class", "key in the files", "images", "boxes", "share of boxes", right=3)
        most = None if problems_shown is None else terminal.MOST_CLASSES
        for row in summary.classes[:most]:
            classes.add_row(row.name, f"{row.key}", f"{row.images}", f"{row.boxes}", share(row.boxes, summary.boxes))
        show_table(out, classes)
        if more := len(summary.classes) - classes.row_count:
            out.print(f"... and {more} more classes. Use --all to list all classes and problems.")
    if summary.side_quantiles:
        quantiles = ", ".join(f"{part:.0%}: {side:.3f}" for part, side in summary.side_quantiles.items())
        out.print(f"Box size, sqrt(box area / image area), by quantile: {quantiles}")
    if summary.sizes is not None:
        sizes = ", ".join(f"{name} {count}" for name, count in summary.sizes.items())
        out.print(f"Box size by COCO's bounds (32 and 96 pixels squared): {sizes}")
    shown = summary.problems[:problems_shown]
    out.print(f"Problems in the files: {len(summary.problems) or 'none'}")
    for problem in shown:
        out.print(f"  {problem}", soft_wrap=True)
    if len(shown) < len(summary.problems):
        out.print(f"  ... and {len(summary.problems) - len(shown)} more. Use --all to list all problems.")
