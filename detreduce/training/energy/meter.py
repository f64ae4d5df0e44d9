"""The energy meter, which measures the energy of phases. Phases can be nested.

The meter uses codecarbon without network access. Codecarbon meters the whole machine, including other programs. If the
machine does not have RAPL or NVML, codecarbon uses models and constants. Therefore every number comes with its
provenance. Lacoste et al. 2019 (arXiv 1910.09700) describe how energy is converted to CO2.
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
    """A meter for the energy of named phases. While an inner phase runs, the outer phase is paused.

    Parameters
    ----------
    country
        The country whose electricity mix is used to convert energy to CO2 (ISO 3166 alpha-3 code).

    Raises
    ------
    InputError
        The electricity mix of the country is unknown.

    Attributes
    ----------
    phases
        Name of a phase -> its energy. If a phase is metered several times, its energies are added up.
    """

    def __init__(self, country: str = "ESP") -> None:
        self.country = check_country(country)
        self.phases: dict[str, PhaseEnergy] = {}
        self._open: list[_Section] = []

    @contextmanager
    def measure(self, phase: str) -> Iterator[PhaseEnergy]:
        """Measure the energy of a ``with`` block, and add it to the phase with this name.

        The yielded `PhaseEnergy` is complete when the block has ended.
        """
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
    """One metered block. It starts and stops codecarbon trackers, and adds their results to the phase `total`."""

    def __init__(self, total: PhaseEnergy, country: str) -> None:
        self.total = total
        self.country = country
        self.tracker: Any = None
        self.start = 0.0

    def resume(self) -> None:
        """Start a new tracker and the clock."""
        self.tracker = None
        try:
            self.tracker = make_tracker(self.country)
            self.tracker.start()
        except Exception as error:  # an error of the meter must not stop the training
            self.total.unavailable = f"codecarbon: {error}"
        # start the clock only now, because codecarbon takes one or two seconds to inspect the hardware
        self.start = time.perf_counter()

    def pause(self) -> None:
        """Stop the tracker and the clock, and add their energy and time to the phase."""
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
    """Add the energy of a stopped codecarbon tracker to `total`. If it metered no energy, set `total.unavailable`."""
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
