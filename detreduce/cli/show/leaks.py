"""Print the warning that stands above the results of data with leaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detreduce.cli.show import terminal

if TYPE_CHECKING:
    from detreduce.experiment.searches.leaks import LeakWarning


def show_leaks(found: LeakWarning | None) -> None:
    """Print the warning, or nothing without leaks."""
    if found is not None:
        terminal.show_text(terminal.console(), found.line, style="bold red")
