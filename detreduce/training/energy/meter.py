"""The meter: energy by phase, with phases inside phases.

codecarbon does the metering, offline. It meters the whole machine, so other programs count too. Without RAPL or NVML
its numbers are models and constants (Lacoste et al. 2019, arXiv 1910.09700, for the CO2). Each number therefore has
its provenance.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from detreduce.training.energy.country import check_country
from detreduce.training.energy.figures import ComponentEnergy, PhaseEnergy
from detreduce.training.energy.tracker import make_tracker, provenances


class EnergyMeter:
    """Meter phases by name; a phase inside another one pauses the outer one.

    Parameters
    ----------
    country
        Country whose electricity mix converts energy to CO2 (ISO 3166 alpha-3 code); InputError if it is not known.

    Attributes
    ----------
    phases
        Energy by phase; several stays in a phase are summed.
    """

    def __init__(self, country: str = "ESP") -> None:
        self.country = check_country(country)
        self.phases: dict[str, PhaseEnergy] = {}
        self._open: list[_Section] = []

    @contextmanager
    def measure(self, phase: str) -> Iterator[PhaseEnergy]:
        """Meter the block as `phase`; the yielded energy is complete when the block has ended."""
        total = self.phases.setdefault(phase, PhaseEnergy(country=self.country))
        if self._open:
            self._open[-1].pause()
        section = _Section(total, self.country)
        self._open.append(section)
        section.resume()
        try:
            yield total
        finally:
            section.pause()
            self._open.pop()
            if self._open:
                self._open[-1].resume()


class _Section:
    """One stay in a phase: start and stop a tracker, add its reading to the phase."""

    def __init__(self, total: PhaseEnergy, country: str) -> None:
        self.total = total
        self.country = country
        self.tracker: Any = None
        self.start = 0.0

    def resume(self) -> None:
        self.tracker = None
        try:
            self.tracker = make_tracker(self.country)
            self.tracker.start()
        except Exception as error:  # a fault of the meter must not stop the training
            self.total.unavailable = f"codecarbon: {error}"
        # after codecarbon's first look at the hardware, which takes a second or two
        self.start = time.perf_counter()

    def pause(self) -> None:
        self.total.seconds += time.perf_counter() - self.start
        if self.tracker is None:
            return
        try:
            self.tracker.stop()
            add_reading(self.total, self.tracker)
        except Exception as error:
            self.total.unavailable = f"codecarbon: {error}"
        if self.total.unavailable:
            self.total.wh = self.total.g_co2 = None


def add_reading(total: PhaseEnergy, tracker: Any) -> None:
    """Add the reading of a stopped codecarbon tracker to `total`; set `unavailable` if there is none."""
    data = getattr(tracker, "final_emissions_data", None)
    if data is None or total.unavailable:
        total.unavailable = total.unavailable or "codecarbon: the tracker gave no reading (see its log)"
        return
    total.wh = (total.wh or 0.0) + data.energy_consumed * 1000
    total.g_co2 = (total.g_co2 or 0.0) + data.emissions * 1000
    watt_hours = {"cpu": data.cpu_energy, "gpu": data.gpu_energy, "ram": data.ram_energy}
    for name, (provenance, method) in provenances(tracker).items():
        component = total.components.setdefault(name, ComponentEnergy(provenance=provenance, method=method))
        component.wh += watt_hours[name] * 1000
