"""An output that exists is refused before anything else is read or loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from invocation import detreduce

from detreduce.cli import app

# commands whose output may exist, because they continue a run or replace a page of their own
MAY_EXIST = {"inspect", "report", "run", "tune"}
REQUIRED = {
    "reduce": ("missing",),
    "split": ("missing",),
    "merge": ("missing", "missing"),
    "next": ("missing", "--after", "missing", "-n", "3"),
    "export": ("missing", "--as", "csv"),
    "weights": ("missing", "--by", "class_uniform"),
    "table": ("missing.csv",),
    "train": ("missing", "--model", "missing.pt"),
    "proxy": ("missing",),
}
FOLDERS = [
    ("export", ("missing", "--as", "fiftyone")),
    ("weights", ("missing", "--by", "class_uniform", "--as", "list")),
]


def writing_commands() -> set[str]:
    group: Any = typer.main.get_command(app)
    return {
        name for name, command in group.commands.items() if any(one.name == "output" for one in command.params)
    } - MAY_EXIST


def test_every_command_that_writes_is_tested() -> None:
    assert set(REQUIRED) == writing_commands()


@pytest.mark.parametrize(("command", "words"), [*REQUIRED.items(), *FOLDERS])
def test_an_output_that_exists_is_refused_first(command: str, words: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    for taken in (folder / "mine.txt", folder):
        output = taken
        if command == "proxy" and taken is folder:
            output = folder.with_suffix(".npz")
            output.touch()
        result = detreduce(command, *words, "--output", output)
        assert result.exit_code == 2
        assert str(output) in result.output and "missing" not in result.output, result.output
    assert (folder / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("command", sorted(REQUIRED))
def test_no_large_library_is_loaded_for_an_output_that_exists(command: str, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine.txt").touch()
    words = [command, *REQUIRED[command], "--output", str(tmp_path / "taken/mine.txt")]
    code = (
        "import sys\nfrom detreduce.cli import app\ntry: app(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print([one for one in ('torch', 'scipy', 'sklearn', 'pandas', 'ultralytics') if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout


def test_the_cells_of_a_ledger_do_not_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "cells.csv").write_text("mine")
    result = detreduce("ledger", "export", tmp_path / "missing", tmp_path / "cells.csv")
    assert result.exit_code == 2 and "cells.csv exists" in result.output and "missing" not in result.output
