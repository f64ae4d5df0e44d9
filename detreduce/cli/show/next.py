"""Print the result of `next` in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detreduce.cli.show import terminal
from detreduce.cli.show.labelling import show_labelling
from detreduce.cli.show.terminal import show_status, show_text
from detreduce.display.numbers import counted
from detreduce.display.terminal_text import GOOD

if TYPE_CHECKING:
    from detreduce.reduction.next_round import NextRound


def show_next_round(result: NextRound) -> None:
    """Print the rounds so far, how many images were chosen and how many remain, and what to do next."""
    out = terminal.console()
    for one in result.earlier:
        kind = "labelled" if one.labelled else "not labelled yet"
        show_text(out, f"After {one.path}: {counted(len(one.records), 'image')}, {kind}")
    line = (
        f"Chosen: {len(result.selection):,} of {len(result.selection.scores):,} images by {result.selection.method}. "
        f"{counted(result.remaining, 'image remains', 'images remain')} for later rounds."
    )
    show_status(out, line, GOOD)
    out.print(f"Written to {result.output}", soft_wrap=True)
    show_labelling(out, result.output)
    if result.page is not None:
        out.print(f"Pictures of chosen and other images: {result.page}", soft_wrap=True)
