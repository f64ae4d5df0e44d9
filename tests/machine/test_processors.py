"""The number of processors for parallel work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detreduce.machine import processors as module
from detreduce.machine.processors import processors


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A process in the control group /outer/inner, allowed eight processors by its affinity."""
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    own = tmp_path / "own"
    own.write_text("1:cpu:/elsewhere\n0::/outer/inner\n")
    monkeypatch.setattr(module, "_CGROUPS", tmp_path)
    monkeypatch.setattr(module, "_OWN_CGROUP", own)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


def test_affinity_limits(cgroup: Path) -> None:
    assert processors() == 8


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"outer/inner": "250000 100000"}, 3),
        ({"outer/inner": "10000 100000"}, 1),
        ({"outer/inner": "max 100000", "outer": "200000 100000"}, 2),
        ({"": "100000 100000"}, 1),
        ({"outer/inner": "6400000 100000"}, 8),
        ({"outer/inner": "not a limit"}, 8),
    ],
)
def test_the_tightest_quota_limits(cgroup: Path, limits: dict[str, str], expected: int) -> None:
    for folder, text in limits.items():
        (cgroup / folder / "cpu.max").write_text(text + "\n")
    assert processors() == expected


def test_systems_without_control_groups_or_affinity(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cgroup / "own").unlink()
    assert processors() == 8
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1
