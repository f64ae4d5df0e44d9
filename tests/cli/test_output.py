"""A path is a link on a terminal, and plain text elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from detreduce.cli.output import say_file


@pytest.mark.parametrize(
    ("terminal", "term", "linked"), [(True, "xterm", True), (True, "dumb", False), (False, "xterm", False)]
)
def test_a_path_is_a_link_on_a_terminal(
    terminal: bool, term: str, linked: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("TERM", term)
    say_file(Path("/a b/report.html"), " (1.0 MB)")
    link = "\x1b]8;;file:///a%20b/report.html\x1b\\/a b/report.html\x1b]8;;\x1b\\"
    assert capsys.readouterr().out == f"{link if linked else '/a b/report.html'} (1.0 MB)\n"
