"""The short part of what detreduce must survive, as `scripts/torture/run --short` runs it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

TORTURE = Path(__file__).resolve().parents[2] / "scripts" / "torture"


@pytest.fixture(autouse=True)
def importable() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TORTURE)
        yield


def run(*arguments: str) -> str:
    """Run a module in a new process, because it forks; return what it prints."""
    done = subprocess.run([sys.executable, *arguments], cwd=TORTURE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_twenty_kills() -> None:
    assert "SIGKILLs: 20 tried (20 killed), 0 faults" in run("kills.py", "--short")


def test_faults_at_calls_of_every_kind_of_writing() -> None:
    run("faults.py", "--short", "hardlink, --over", "coco", "export as", "ledger", "report", "duplicates")


@pytest.fixture
def shim() -> ModuleType:
    import shim

    return shim


def test_the_shim_counts_and_fails_calls_below_its_folders_only(shim: ModuleType, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"

    def work(folder: Path) -> None:
        folder.mkdir()
        (folder / "a").write_bytes(b"content")
        (folder / "a").rename(folder / "b")
        os.link(folder / "b", folder / "c")
        (folder / "d").symlink_to(folder / "b")
        assert (folder / "b").read_text() == "content"
        (folder / "b").unlink()

    with shim.watched([inside]) as counted:
        work(outside)
        assert not counted.calls
        work(inside)
    wanted = ["os.mkdir", "open", "write", "os.rename", "os.link", "os.symlink", "open", "read", "os.remove"]
    assert [name for name in counted.calls if name in wanted] == wanted[:7] + ["read"] * (
        counted.calls.count("read")
    ) + ["os.remove"]
    for at in range(1, len(counted.calls) + 1):
        place = tmp_path / f"try{at}"
        with shim.watched([place], at, shim.fail(errno.EIO)) as one, pytest.raises(OSError) as caught:
            work(place)
        assert caught.value.errno == errno.EIO and len(one.calls) >= at and one.place


def test_torture_is_one_command() -> None:
    done = subprocess.run([TORTURE / "run", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "kills, faults" in done.stdout
    done = subprocess.run([sys.executable, TORTURE, "nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "nonsense" in done.stderr
