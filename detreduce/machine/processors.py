"""The number of processors that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def processors() -> int:
    """Return the number of processors that this process may use.

    It is limited by the CPU affinity and, on Linux, also by the CPU quota of the control group (cgroup v2).
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(count, _read_cpu_quota())))


def _read_cpu_quota() -> float:
    """Return the smallest CPU quota, in CPUs, among the process's control group and its parents.

    If no quota is set, this is infinity.
    """
    try:
        own = next(line for line in _OWN_CGROUP.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return math.inf
    group = _CGROUPS / own.removeprefix("0::").lstrip("/")
    limits = [math.inf]
    for folder in (group, *group.parents):
        try:
            allowed, period = (folder / "cpu.max").read_text().split()
            limits.append(math.inf if allowed == "max" else int(allowed) / int(period))
        except (OSError, ValueError):
            continue
        if folder == _CGROUPS:
            break
    return min(limits)
