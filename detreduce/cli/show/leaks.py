"""Print a warning above the results if the data has leaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detreduce.cli.show import terminal

if TYPE_CHECKING:
    from detreduce.experiment.searches.leaks import LeakWarning


def show_leaks(found: LeakWarning | None) -> None:
    """Print the warning about leaks, if there is one."""
    if found is not None:
        terminal.show_text(terminal.console(), found.line, style="bold red")


def show_only_files() -> None:
    """Print that the search for leaks compared no pixels, and how to leave similar images out."""
    terminal.show_text(
        terminal.console(),
        "Leaks: files were compared, but pixels were not. The run compares pixels before its first training, and warns "
        "of similar images. `reduce.drop_leaked=true` leaves these images out.",
    )
