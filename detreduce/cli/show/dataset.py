"""Print the health, the content and the problems of a dataset, for `inspect`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import most_common, share, show_table, show_text, table_of
from detreduce.dataset.paths.output_name import free_name
from detreduce.dataset.suggested_command import inspect_command, reduce_command, split_command
from detreduce.machine.untrusted.regular_files import is_regular

if TYPE_CHECKING:
    from detreduce.dataset.health.advice import Advice
    from detreduce.dataset.health.counts import DatasetSummary, VideoSummary
    from detreduce.dataset.health.finding import Finding
    from detreduce.dataset.health.leaks import Leaks
    from detreduce.dataset.records import DetectionDataset

SHOWN_VIDEOS = 20
STYLES = {"wrong": "bold red", "look": "yellow", "good": "green"}


def show_findings(summary: DatasetSummary, findings: Sequence[Finding]) -> None:
    """Print one line for each finding, starting with its verdict."""
    from detreduce.dataset.health.finding import in_words

    out = terminal.console()
    show_text(out, f"{summary.path} ({summary.format}), split {summary.split}: {in_words(findings)}")
    for one in findings:
        text = f"{one.what} {one.advice}".strip()
        show_text(out, text, first=f"  {one.verdict:<5}  ", indent=" " * 9, style=STYLES[one.verdict])


def show_advice(advice: Advice) -> None:
    """Print what matters for a training: the number of effective images, rare classes, and results on similar data."""
    out = terminal.console()
    out.print("For a training:")
    for sentence in advice.sentences:
        show_text(out, sentence, first="  ", indent="  ")


def show_next(
    dataset: DetectionDataset, findings: Sequence[Finding], leaks: Leaks, *, given: str, opened: bool
) -> None:
    """Print a command that the user should run next.

    `given` is the dataset as the user typed it. The printed command contains `given`, because the full path can be
    long. `opened` is True if the current command has opened the images.
    """
    from detreduce.dataset.health.checks import MEASURING
    from detreduce.dataset.health.leaks import TRAIN
    from detreduce.pages.own_file import HEALTH_PAGE, is_own

    bad = {one.check for one in findings if one.verdict != "good"}
    wrong = {one.check for one in findings if one.verdict == "wrong"}
    measured = any(leaks.splits.get(name) for name in MEASURING)
    if dataset.labelled and dataset.split == TRAIN and (leaks.train_is_measured or not measured):
        command = split_command(dataset, given)
    elif wrong & {"leaks", "leaks by pixels"} and not leaks.train_is_measured:
        # the same name as `duplicates` suggests for the same command
        suffix = "clean" if bad & {"exact duplicates", "near-duplicates"} else "without-leaks"
        command = reduce_command(dataset, "--keep", "all", "--drop-leaked", suffix=suffix, given=given)
    elif bad & {"exact duplicates", "near-duplicates"}:
        command = reduce_command(dataset, "--keep", "all", suffix="clean", given=given)
    elif not opened:
        page = Path(HEALTH_PAGE)
        other = os.path.lexists(page) and not (is_regular(page) and is_own(page))
        output = ["--output", free_name(HEALTH_PAGE)] if other else []
        command = inspect_command(dataset, "--check-images", "--page", *output, given=given)
    else:
        command = reduce_command(dataset, "--keep", "0.25", suffix="reduced", given=given)
    # print a command on one line, so that it can be copied
    terminal.console().print(f"Next: {command}", soft_wrap=True)


def _show_videos(videos: Sequence[VideoSummary], *, show_all: bool) -> None:
    """Print one row for each video: length, frame rate, size and the number of frames that are used."""
    table = table_of("video", "seconds", "frames per second", "pixels", "frames", "used", right=5)
    for video in videos if show_all else videos[:SHOWN_VIDEOS]:
        size = f"{video.width} x {video.height}"
        table.add_row(video.name, f"{video.seconds:.1f}", f"{video.rate:.4g}", size, f"{video.frames}", f"{video.used}")
    show_table(terminal.console(), table)
    if more := len(videos) - table.row_count:
        terminal.console().print(f"... and {more} more videos. Use --all to list all videos.")


def show_summary(summary: DatasetSummary, *, problems_shown: int | None) -> None:
    """Print the content and the problems of a dataset.

    At most `problems_shown` problems are listed. If `problems_shown` is None, all problems and all classes are listed,
    with statistics of the box sizes.
    """
    show_all = problems_shown is None
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
    if summary.videos:
        _show_videos(summary.videos, show_all=show_all)
    if summary.classes:
        # some formats have no numbers for classes and use their names instead
        keys = ["key"] if any(str(row.key) != row.name for row in summary.classes) else []
        classes = table_of("class", *keys, "images", "boxes", "share of boxes", right=3)
        rows = summary.classes if show_all else most_common(summary.classes, [row.boxes for row in summary.classes])
        for row in rows:
            key = [f"{row.key}"] * len(keys)
            classes.add_row(row.name, *key, f"{row.images}", f"{row.boxes}", share(row.boxes, summary.boxes))
        show_table(out, classes)
        if more := len(summary.classes) - classes.row_count:
            out.print(f"... and {more} rarer classes. Use --all to list all classes and problems.")
    if summary.side_quantiles and show_all:
        quantiles = ", ".join(f"{part:.0%}: {side:.3f}" for part, side in summary.side_quantiles.items())
        out.print(f"Box size, sqrt(box area / image area), by quantile: {quantiles}")
    if summary.sizes is not None and show_all:
        sizes = ", ".join(f"{name} {count}" for name, count in summary.sizes.items())
        out.print(f"Box size by COCO's bounds (32 and 96 pixels squared): {sizes}")
    shown = summary.problems[:problems_shown]
    out.print(f"Problems in the files: {len(summary.problems) or 'none'}")
    for problem in shown:
        out.print(f"  {problem}", soft_wrap=True)
    if len(shown) < len(summary.problems):
        out.print(f"  ... and {len(summary.problems) - len(shown)} more. Use --all to list all problems.")
