"""`detreduce mcp`: what it refuses before it serves, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from invocation import detreduce


def test_the_root_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("nowhere", "file"):
        result = detreduce("mcp", "--root", tmp_path / place, "--json")
        assert (result.exit_code, json.loads(result.stdout)["error"]["kind"]) == (2, "input")
    assert detreduce("mcp").exit_code == 2


def test_without_the_package_the_message_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detreduce.cli.commands.mcp.find_spec", lambda _: None)
    result = detreduce("mcp", "--root", tmp_path)
    assert result.exit_code == 2 and "detreduce[mcp]" in result.stderr


@pytest.mark.skipif(find_spec("mcp") is None, reason="the mcp extra is not installed")
@pytest.mark.parametrize(("ended_by", "code"), [("stdin", 0), (signal.SIGTERM, 143)])
def test_how_the_server_ends(tmp_path: Path, ended_by: str | signal.Signals, code: int) -> None:
    """A client ends the server by closing stdin. Nothing is printed on stdout without a message of the client."""
    command = [sys.executable, "-m", "detreduce", "mcp", "--root", str(tmp_path)]
    hello = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(hello) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert answer["id"] == 1
        if isinstance(ended_by, signal.Signals):
            process.send_signal(ended_by)
        out, _ = process.communicate(timeout=600)
    assert (process.returncode, out) == (code, "")
