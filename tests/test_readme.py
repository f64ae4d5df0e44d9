"""Runs the README's quick start as it stands, and checks that its other commands exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
MARK = "<!-- run by tests/test_readme.py -->\n"
RUN = re.findall(re.escape(MARK) + r"```(\w+)\n(.*?)```", README, re.DOTALL)


def shell_lines() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    return [
        line.split("#")[0].strip()
        for block in blocks
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip()
    ]


@pytest.mark.train
@pytest.mark.parametrize(("language", "code"), RUN, ids=[language for language, _ in RUN])
def test_the_quick_start_runs_as_it_stands(language: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "datasets").symlink_to(REPOSITORY / "datasets")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "YOLO_CONFIG_DIR": str(tmp_path),
        "YOLO_OFFLINE": "true",
    }
    command = ["bash", "-euo", "pipefail", "-c", code] if language == "bash" else [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert list(tmp_path.glob("reduced*/data.yaml"))


def test_the_quick_start_is_found() -> None:
    assert [language for language, _ in RUN] == ["bash", "python", "bash"]


def test_every_other_command_names_files_and_commands_that_exist() -> None:
    from detreduce.cli import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}
    for line in shell_lines():
        first, *rest = shlex.split(line)
        if first == "detreduce":
            assert rest[0] in known, line
        for word in [first, *rest]:
            if word.startswith(("scripts/", "configs/", "datasets/")):
                assert (REPOSITORY / word).exists(), word
