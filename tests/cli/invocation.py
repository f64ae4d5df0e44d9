"""Run the program in the process of the tests."""

from __future__ import annotations

import io

import pytest
from typer.testing import CliRunner, Result

from detreduce.cli import app


def detreduce(*arguments: object, answer: str | None = None) -> Result:
    """Run a command line; `answer` is the text that is typed at the question."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=answer)


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int, *arguments: object) -> list[str]:
    """Return the lines on a terminal with this number of columns."""
    from rich.console import Console

    from detreduce.cli.show import terminal

    out = Console(width=width, highlight=False, markup=False, force_terminal=True, record=True, file=io.StringIO())
    monkeypatch.setattr(terminal, "console", lambda **_: out)
    result = detreduce(*arguments)
    assert result.exit_code == 0, result.output
    return out.export_text().splitlines()
