"""Output of commands on stdout, and the progress line before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import typer

from detreduce.display.progress import progress
from detreduce.display.terminal_text import visible_lines
from detreduce.machine.json_values import json_text

_waiting = ExitStack()


@contextmanager
def waiting() -> Iterator[None]:
    """Show on a terminal that the command works, until its output begins."""
    with _waiting:
        _waiting.enter_context(progress("working", None, behind=True))
        yield


def begin_output() -> None:
    """Remove the line of `waiting`; the output of the command follows."""
    _waiting.close()


def say(text: str) -> None:
    """Print a line for people."""
    begin_output()
    typer.echo(visible_lines(text))


def print_json(content: Any) -> None:
    """Print JSON for scripts. As in selection.json, NaN is null, and infinite numbers are ``inf`` and ``-inf``."""
    begin_output()
    typer.echo(json_text(content), nl=False)
