"""The suggestions for a shell, requested as bash and zsh do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from detreduce.experiment.ledger.ledger import Ledger
from detreduce.reducers import list_reducers


def offered(words: str, folder: Path, shell: str = "bash") -> list[str]:
    """Return the suggestions for the last word, which may be empty."""
    asked = {
        "bash": {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": words},
    }
    done = subprocess.run(
        [sys.executable, "-c", "from detreduce.cli import app; app(prog_name='detreduce')"],
        env={**os.environ, "_DETREDUCE_COMPLETE": f"complete_{shell}", **asked[shell]},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return [line for line in done.stdout.splitlines() if line]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with files."""
    (tmp_path / "mine.yaml").write_text("")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "annotations").mkdir()
    return tmp_path


def test_commands_and_options(folder: Path) -> None:
    assert offered("detreduce red", folder) == ["reduce"]
    assert "--must-keep" in offered("detreduce reduce --mu", folder)
    assert offered("detreduce ledger for", folder) == ["forget"]
    assert offered("detreduce reduce x --link ", folder) == ["hardlink", "symlink", "copy", "list"]


def test_method_names(folder: Path) -> None:
    known = [name for name in list_reducers() if name.startswith("m")]
    assert offered("detreduce reduce --method m", folder) == known == ["mms", "moderate"]
    assert offered("detreduce methods her", folder) == ["herding"]
    zsh = offered("detreduce reduce --method mm", folder, "zsh")
    assert "mms" in zsh[0] and "image farthest" in zsh[0]


def test_parameters_of_the_method_that_is_typed(folder: Path) -> None:
    assert "landmark=" in offered("detreduce reduce data.yaml --method phl la", folder)
    assert offered("detreduce reduce data.yaml --method nothing la", folder) == []


def test_shipped_configs_and_datasets_and_files(folder: Path) -> None:
    assert offered("detreduce run configs/d", folder) == ["configs/demo.yaml"]
    assert offered("detreduce inspect datasets/demo", folder) == ["datasets/demo.yaml"]
    local = offered("detreduce run ", folder)
    assert "mine.yaml" in local and "annotations/" in local and "notes.txt" not in local


def test_keys_of_an_experiment(folder: Path) -> None:
    assert offered("detreduce run configs/demo.yaml reduce.ke", folder) == ["reduce.keep="]


def test_ledgers_and_what_is_in_them(folder: Path, ledger: Ledger) -> None:
    assert offered("detreduce ledger list ", folder) == ["runs/x"]
    columns = offered("detreduce ledger list runs/x --where m", folder)
    assert {"method=", "mAP50="} <= set(columns) and all(name.startswith("m") for name in columns)
    assert offered("detreduce ledger list runs/x --where method=", folder) == ["method=full", "method=mms"]
    assert offered("detreduce ledger forget runs/x mm", folder) == ledger.cell_keys()[2:]
    assert offered("detreduce ledger list nowhere --where m", folder) == []


def test_the_script_for_the_shell_is_shown(folder: Path) -> None:
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    command = [sys.executable, "-c", "from detreduce.cli import app; app(prog_name='detreduce')"]
    for shell in ("bash", "zsh", "fish"):
        done = subprocess.run(
            [*command, "--show-completion", shell], env=environment, capture_output=True, text=True, check=True
        )
        assert "_DETREDUCE_COMPLETE" in done.stdout
