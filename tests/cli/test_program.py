from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from invocation import detreduce


@pytest.mark.parametrize("command", ["inspect", "reduce", "train", "run"])
def test_a_missing_dataset_or_config_names_its_neighbour(tmp_path: Path, command: str) -> None:
    (tmp_path / "data.yaml").write_text("")
    extra = ("-o", tmp_path / "o") if command == "reduce" else ()
    result = detreduce(command, tmp_path / "dato.yaml", *extra)
    assert result.exit_code == 2
    assert "Did you mean 'data.yaml'?" in result.output


def test_every_command_has_help_with_an_example() -> None:
    for command in ("inspect", "reduce", "train", "run", "methods"):
        result = detreduce(command, "--help")
        assert result.exit_code == 0 and f"Example: detreduce {command}" in " ".join(result.output.split())


def test_help_imports_nothing_heavy() -> None:
    script = "import sys; sys.argv = ['detreduce', '--help']\nimport detreduce.cli\n"
    script += "try:\n    detreduce.cli.main()\nexcept SystemExit:\n    pass\n"
    script += "print(sorted({'torch', 'ultralytics', 'numpy', 'sklearn', 'pandas', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.splitlines()[-1] == "[]"
