"""Limits on the time and energy of one run of an experiment, and the amounts that the run has spent."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from detreduce.errors import InputError
from detreduce.experiment.costs.forecast import Estimate
from detreduce.training.energy import PhaseEnergy


class Spent:
    """The time (wall clock) and the energy that a run has spent.

    If a phase with unknown energy is added, `wh` becomes NaN.
    """

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.wh = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._start

    def add(self, energy: PhaseEnergy) -> None:
        """Add the energy of a finished phase to `wh`."""
        self.wh += math.nan if energy.wh is None else energy.wh


@dataclass(frozen=True)
class Limits:
    """The largest number of hours and of Wh that one run may take. None means that there is no limit.

    Raise InputError if a limit is not a finite number above 0.
    """

    hours: float | None = None
    wh: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("max_hours", self.hours), ("max_wh", self.wh)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"{name}={value!r} is not a number above 0: use for example 2.")

    def reason_to_stop(self, spent: Spent, following: Estimate) -> str | None:
        """Return why the next cell may not be started, or None if it may be started.

        `following` is the expected cost of the next cell. If this cost is not known, it counts as 0.
        """
        if self.hours is not None:
            hours, more = spent.seconds / 3600, (following.seconds or 0.0) / 3600
            if hours + more > self.hours:
                return f"max_hours={self.hours:g}: {hours:.2f} h are spent, and the next cell needs about {more:.2f} h"
        if self.wh is not None:
            if math.isnan(spent.wh):
                return f"max_wh={self.wh:g}: the energy spent is not known"
            more = following.wh or 0.0
            if spent.wh + more > self.wh or spent.wh >= self.wh:
                return f"max_wh={self.wh:g}: {spent.wh:.2f} Wh are spent, and the next cell needs about {more:.2f} Wh"
        return None
