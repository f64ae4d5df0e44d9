from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from detreduce.training import concurrent_runs as presence
from detreduce.training.concurrent_runs import announced, overlapped, present

OTHER = """
import sys
from detreduce.training.concurrent_runs import present
with present() as here:
    print(here.overlapped, flush=True)
    sys.stdin.readline()
    print(here.overlapped, flush=True)
"""


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DETREDUCE_PRESENCE", str(tmp_path / "running"))
    return tmp_path / "running" / presence.boot_identity()


def other() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdin and process.stdout
    return process


def test_alone_nothing_overlaps_and_nothing_is_left(alone: Path) -> None:
    assert overlapped() is None
    with present() as outer, present() as inner:
        assert inner is outer
        assert overlapped() is False
    assert [file.name for file in alone.iterdir()] in ([], ["guard"])


def test_both_know_of_each_other_whoever_came_first_and_after_one_has_gone() -> None:
    with present() as here:
        assert here.overlapped is False
        with other() as process:
            assert process.stdout and process.stdin
            assert process.stdout.readline() == "True\n"
            assert here.overlapped is True
            process.stdin.write("\n")
            assert process.stdout.readline() == "True\n"
        assert here.overlapped is True
    assert here.overlapped is True
    with present() as alone_again:
        assert alone_again.overlapped is False


def test_one_that_was_there_before_is_seen_and_told() -> None:
    with other() as process:
        assert process.stdout and process.stdin
        assert process.stdout.readline() == "False\n"
        with present() as here:
            assert here.overlapped is True
        process.stdin.write("\n")
        assert process.stdout.readline() == "True\n"


def test_a_killed_one_is_not_there(alone: Path) -> None:
    with other() as process:
        assert process.stdout and process.stdout.readline() == "False\n"
        process.kill()
    for _ in range(3000):
        with present() as here:
            if not here.overlapped:
                break
        time.sleep(0.1)
    assert here.overlapped is False
    assert [file.name for file in alone.iterdir()] in ([], ["guard"])


def test_a_folder_that_cannot_be_written_leaves_it_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DETREDUCE_PRESENCE", str(tmp_path / "file"))
    with present() as here:
        assert here.overlapped is None
    assert here.overlapped is None


def test_a_function_that_trains_shows_it_and_keeps_its_name() -> None:
    @announced
    def train(data: str) -> bool | None:
        """Say what it does."""
        return overlapped() if data else None

    assert train("x") is False and train.__doc__ == "Say what it does."
    assert overlapped() is None


def test_caches_apart_are_one_machine(alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with present() as here:
        monkeypatch.setenv("DETREDUCE_CACHE", str(tmp_path / "another"))
        process = other()
        assert process.stdout and process.stdout.readline().strip() == "True"
        assert here.overlapped
        process.communicate("\n")


def test_the_folder_is_for_all_users(alone: Path) -> None:
    with present():
        assert alone.stat().st_mode & 0o7777 == 0o1777
