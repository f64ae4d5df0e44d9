"""Print the result of `merge` in sentences."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import show_status, show_text
from detreduce.display.numbers import counted
from detreduce.display.terminal_text import GOOD, WARNING

if TYPE_CHECKING:
    from detreduce.dataset.merging.result import MergeResult


def show_merged(result: MergeResult, *, shown: int | None) -> None:
    """Print what was merged, and the images that were renamed, joined or left out. If `shown` is None, list all."""
    out = terminal.console()
    for source in result.sources:
        counts = f"{counted(source.images, 'image')}, {counted(source.boxes, 'box', 'boxes')}"
        show_text(out, f"{source.path}: {counts} ({source.format})")
    _show_list(
        out,
        "Renamed, because their names are in use:",
        [f"{one.image} is {one.split}/{one.new_name}" for one in result.renamed],
        shown,
    )
    _show_list(
        out,
        "Left out:",
        [f"{one.image} ({one.split}): {one.why}" for one in result.left_out],
        shown,
    )
    same = [one for one in result.repeated if not one.conflict]
    _show_list(
        out,
        "Identical images with the same labels, written once with the last labels:",
        [f"{one.dropped} ({one.dropped_split}) is {one.kept} ({one.split})" for one in same],
        shown,
    )
    _show_list(
        out,
        "Identical images with different labels, written once with the last labels:",
        [
            f"{one.kept} ({one.split}, boxes: {one.boxes}) and "
            f"{one.dropped} ({one.dropped_split}, boxes: {one.dropped_boxes}). "
            f"Labels of: {one.labels_of}"
            for one in result.conflicts
        ],
        shown,
    )
    moved = sum(one.split != one.dropped_split for one in result.repeated)
    if moved:
        show_status(
            out,
            f"Splits: {counted(moved, 'identical image')} in another split of a later dataset. The split of the first "
            "dataset is used.",
            WARNING,
        )
    lossy = sorted({source.format for source in result.sources} - {result.format})
    if lossy:
        text = f"Format: {result.format}. From {', '.join(lossy)}: boxes only, without polygons and crowd regions."
        show_status(out, text, WARNING)
    splits = ", ".join(f"{count:,} in {split}" for split, count in result.splits.items())
    line = f"Merged: {counted(result.images, 'image')} ({splits}), {counted(result.boxes, 'box', 'boxes')}, "
    line += counted(len(result.class_names), "class", "classes")
    show_status(out, f"{line}, in {result.output}", GOOD)
    out.print(f"Next: {shlex.join(['detreduce', 'inspect', str(result.dataset.source.path)])}", soft_wrap=True)


def _show_list(out: Console, title: str, lines: Sequence[str], shown: int | None) -> None:
    """Print a title and lines below it. Print nothing if there are no lines."""
    if not lines:
        return
    out.print(f"{title} {len(lines):,}", style="bold")
    for line in lines[:shown]:
        out.print(f"  {line}", soft_wrap=True)
    if shown is not None and len(lines) > shown:
        out.print(f"  ... and {len(lines) - shown:,} more. Use --all to list all. merge.json lists all, too.")
