"""Print the output of commands on stdout, and show a progress line until this output begins."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import typer

from detreduce.display.progress import command
from detreduce.display.terminal_text import visible_lines
from detreduce.display.typed_paths import as_typed
from detreduce.machine.json_values import json_pieces, json_text

_waiting = ExitStack()
_printed_json = False


@contextmanager
def waiting() -> Iterator[None]:
    """Show a progress line on a terminal, until the command begins to print its output."""
    with _waiting:
        _waiting.enter_context(command("loading libraries"))
        yield


def expect_output() -> None:
    """Forget what an earlier command in this process has printed."""
    global _printed_json
    _printed_json = False


def begin_output() -> None:
    """Remove the progress line of `waiting`. This is called before the command prints its output."""
    _waiting.close()


def say(text: str, *, full_paths: bool = False) -> None:
    """Print one line of text, with paths as the user typed them. With `full_paths`, do not shorten any path."""
    begin_output()
    typer.echo(visible_lines(text if full_paths else as_typed(text)))


def say_file(path: Path, more: str = "", *, before: str = "") -> None:
    """Print the text `before`, a path, and the text `more`.

    On a terminal, the path is a link that opens the file (escape sequence OSC 8).
    """
    begin_output()
    text = visible_lines(as_typed(path))
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        text = f"\033]8;;{path.resolve().as_uri()}\033\\{text}\033]8;;\033\\"
    typer.echo(before + text + visible_lines(more))


def print_json(content: Any) -> None:
    """Print a value as JSON.

    As in selection.json, NaN becomes null, and infinite numbers become the strings ``inf`` and ``-inf``.
    """
    global _printed_json
    begin_output()
    _printed_json = True
    for piece in json_pieces(content) if isinstance(content, Mapping) else [json_text(content)]:
        typer.echo(piece, nl=False)


def print_json_error(kind: str, message: str, code: int) -> None:
    """Print an error as JSON: ``{"error": {"kind": ..., "message": ..., "exit_code": ...}}``.

    Print nothing if the output of the command has begun, because stdout would then contain two documents. If stdout
    cannot be written, only the message on stderr is left.
    """
    if _printed_json:
        return
    begin_output()
    error = {"kind": kind, "message": message, "exit_code": code}
    with suppress(OSError):
        typer.echo(json_text({"error": error}), nl=False)
