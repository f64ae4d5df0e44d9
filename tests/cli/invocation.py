"""Run the program in the process of the tests."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import pytest
from typer.testing import CliRunner, Result

from detreduce.cli import app
from detreduce.cli.contracts import CONTRACTS


def detreduce(*arguments: object, answer: str | None = None) -> Result:
    """Run a command line; `answer` is the text that is typed at the question.

    A command that prints JSON must keep its contract.
    """
    words = [str(argument) for argument in arguments]
    result = CliRunner().invoke(app, words, input=answer)
    if "--json" in words and result.exit_code == 0:
        check_contract(words, result.stdout)
    return result


def check_contract(words: Sequence[str], printed: str) -> None:
    """Assert that the JSON of a command has the keys of its contract. Other forms of the JSON are not checked."""
    contract = CONTRACTS.get(words[0]) or CONTRACTS[" ".join(words[:2])]
    content = json.loads(printed)
    if isinstance(content, dict) and contract.prints:
        missing = set(contract.prints) - set(content)
        assert not missing or contract.also, (words[0], missing)
        # the other forms have few keys in common with the main one
        assert not missing or len(missing) * 2 > len(contract.prints), (words[0], missing)


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int, *arguments: object) -> list[str]:
    """Return the lines on a terminal with this number of columns."""
    from rich.console import Console

    from detreduce.cli.show import terminal

    out = Console(width=width, highlight=False, markup=False, force_terminal=True, record=True, file=io.StringIO())
    monkeypatch.setattr(terminal, "console", lambda **_: out)
    result = detreduce(*arguments)
    assert result.exit_code == 0, result.output
    return out.export_text().splitlines()
