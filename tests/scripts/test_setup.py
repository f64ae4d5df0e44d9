"""scripts/setup, with stand-ins for Python and pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
# This stand-in for Python prints its arguments and makes an environment with itself. Its pip prints its arguments, and
# may fail.
STAND_IN = """#!/bin/bash
echo "$@" >>{log}
if [ "$2" = venv ]; then rm -rf .venv; mkdir -p .venv/bin; cp {python} .venv/bin/python; touch .venv/pyvenv.cfg; fi
if [ "$2" = pip ]; then
    for number in $(seq 300); do
        echo "Collecting torch==2.9 (from detreduce)"
        echo "  Downloading https://files.example/ab/torch-2.9.whl (821.0 MB)"
        echo "     more of it"
    done
    if [ -n "$PIP_FAILS" ]; then echo "ERROR: No matching distribution found for torch" >&2; exit 1; fi
fi
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    found = tmp_path / "checkout"
    (found / "scripts").mkdir(parents=True)
    for name in ("scripts/setup", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, found / name)
    python = tmp_path / "python"
    python.write_text(STAND_IN.format(log=tmp_path / "log", python=python))
    python.chmod(0o755)
    return found


def asked(checkout: Path, *options: str) -> list[str]:
    """The requests that one more set-up makes to Python."""
    log = checkout.parent / "log"
    log.write_text("")
    # a pip that is called against expectation installs nothing
    environment = {**os.environ, "PYTHON": str(checkout.parent / "python"), "PIP_DRY_RUN": "1", "PIP_NO_INDEX": "1"}
    subprocess.run([checkout / "scripts" / "setup", "dev", *options], check=True, env=environment, capture_output=True)
    return [line for line in log.read_text().splitlines() if line.startswith("-m")]


def said(checkout: Path, *options: str, **variables: str) -> tuple[int, str]:
    """The exit code and the output of a set-up."""
    environment = {**os.environ, "PYTHON": str(checkout.parent / "python"), **variables}
    done = subprocess.run([checkout / "scripts" / "setup", *options], env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_second_set_up_does_nothing(checkout: Path) -> None:
    made, installed = asked(checkout)
    assert made == "-m venv --clear .venv"
    assert installed.startswith("-m pip install") and installed.endswith("-e .[dev]")
    assert asked(checkout) == []


def test_an_interrupted_install_is_begun_anew(checkout: Path) -> None:
    asked(checkout)
    (checkout / ".venv" / ".detreduce-installed").unlink()
    (checkout / ".venv" / ".detreduce-installing").touch()
    assert asked(checkout)[0] == "-m venv --clear .venv"


def test_nothing_is_installed_beside_the_interpreter(checkout: Path) -> None:
    # an interrupted removal of an environment leaves a link to the machine's own python
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    assert asked(checkout)[0] == "-m venv --clear .venv"


def test_the_lines_of_pip_go_to_a_log(checkout: Path) -> None:
    code, output = said(checkout)
    assert code == 0 and len(output.splitlines()) < 8, output
    assert len((checkout / ".venv" / "setup.log").read_text().splitlines()) == 900


@pytest.mark.skipif(shutil.which("script") is None, reason="the program script makes the terminal")
def test_a_terminal_shows_how_far_it_is(checkout: Path) -> None:
    terminal = ("script", "-qec", f"stty cols 50; {checkout / 'scripts' / 'setup'}", "/dev/null")
    done = subprocess.run(
        terminal, env={**os.environ, "PYTHON": str(checkout.parent / "python")}, capture_output=True, text=True
    )
    # "text" reads a carriage return as the end of a line
    lines = done.stdout.split("\n\033[K")
    assert any("300 packages, " in line and "downloading torch-2.9.whl (" in line for line in lines), done.stdout
    assert max(len(line) for line in lines[1:-1]) < 50 and done.returncode == 0


def test_a_failure_says_why_and_where_the_log_is(checkout: Path) -> None:
    code, output = said(checkout, PIP_FAILS="yes")
    assert code == 1 and len(output.splitlines()) < 8, output
    assert "ERROR: No matching distribution found for torch" in output
    assert str(checkout / ".venv" / "setup.log") in output
    assert said(checkout)[0] == 0


def torch_in(checkout: Path, version: str) -> None:
    """Write the file that says which torch the environment has."""
    folder = checkout / ".venv" / "lib" / "python3.11" / "site-packages" / "torch"
    folder.mkdir(parents=True)
    (folder / "version.py").write_text(f"__version__ = '{version}'")


@pytest.mark.skipif(sys.platform == "darwin", reason="PyTorch has no CUDA on macOS")
def test_the_small_way_installs_cpu_builds_first(checkout: Path) -> None:
    _, torch, rest = asked(checkout, "--cpu", "--index-url", "https://index.example/cpu")
    assert "--index-url https://index.example/cpu" in torch and "--no-deps" in torch
    assert [word.split("==")[0] for word in torch.split() if word.endswith("+cpu")] == ["torch", "torchvision"]
    assert "index.example" not in rest and rest.endswith("-e .[dev]")
    torch_in(checkout, "2.9+cpu")
    # a later plain set-up keeps the small build
    (checkout / ".venv" / ".detreduce-installed").unlink()
    assert [line.count("+cpu") for line in asked(checkout)] == [2, 0]


@pytest.mark.skipif(sys.platform == "darwin", reason="PyTorch has no CUDA on macOS")
def test_the_small_way_does_not_mix_with_cuda(checkout: Path) -> None:
    asked(checkout)
    torch_in(checkout, "2.9")
    code, output = said(checkout, "--cpu")
    assert code == 1 and "Delete .venv" in output
    assert said(checkout)[0] == 0
    code, output = said(checkout, "--cup")
    assert code == 2 and "--cup" in output
