"""Energy and CO2 of a phase of work, component by component, each with how its number came about.

codecarbon does the metering, offline. It meters the whole machine: what else runs there is counted too. Without
RAPL or NVML its numbers are models and constants (Lacoste et al. 2019, arXiv 1910.09700, for the CO2), so no Wh leaves
this module without its provenance.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from detreduce.errors import InputError, nearest

Provenance = Literal["measured", "modelled", "constant"]

SAMPLE_SECONDS = 5.0


class ComponentEnergy(BaseModel):
    """What one part of the machine used.

    Attributes
    ----------
    wh
        Watt-hours.
    provenance
        ``measured`` (a counter or sensor of the hardware), ``modelled`` (from the load) or ``constant`` (watts x time).
    method
        How, in words.
    """

    model_config = ConfigDict(extra="forbid")

    wh: float = 0.0
    provenance: Provenance
    method: str


class PhaseEnergy(BaseModel):
    """Energy, CO2 and time of one phase; filled when the phase ends.

    Attributes
    ----------
    seconds
        Wall-clock time, measured apart from codecarbon, so that it is there without it.
    wh, g_co2
        Watt-hours of all components and grams of CO2-equivalent; None where energy could not be metered.
    components
        ``cpu``, ``gpu``, ``ram``: those the machine has.
    unavailable
        Why there is no energy figure, else None.
    overlapped
        Whether another training of detreduce ran on the machine meanwhile, whose energy was then counted too; None
        where that is not known, or is said elsewhere.
    """

    model_config = ConfigDict(extra="forbid")

    seconds: float = 0.0
    wh: float | None = None
    g_co2: float | None = None
    components: dict[str, ComponentEnergy] = {}
    country: str = ""
    unavailable: str | None = None
    overlapped: bool | None = None


def together(parts: Sequence[PhaseEnergy]) -> PhaseEnergy:
    """The sum of some phases; energy is None where one of them has none."""
    total = PhaseEnergy(seconds=sum(part.seconds for part in parts), country=parts[0].country if parts else "")
    total.unavailable = next((part.unavailable for part in parts if part.unavailable), None)
    total.overlapped = True if any(part.overlapped for part in parts) else None
    known = [part.wh is not None and part.g_co2 is not None for part in parts]
    if parts and all(known):
        total.wh = sum(part.wh or 0.0 for part in parts)
        total.g_co2 = sum(part.g_co2 or 0.0 for part in parts)
    for part in parts:
        for name, component in part.components.items():
            held = total.components.setdefault(name, component.model_copy(update={"wh": 0.0}))
            held.wh += component.wh
    return total


def scaled(energy: PhaseEnergy, factor: float) -> PhaseEnergy:
    """So many times as much."""
    known = energy.wh is not None and energy.g_co2 is not None
    return energy.model_copy(
        update={
            "seconds": energy.seconds * factor,
            "wh": (energy.wh or 0.0) * factor if known else None,
            "g_co2": (energy.g_co2 or 0.0) * factor if known else None,
            "components": {
                name: part.model_copy(update={"wh": part.wh * factor}) for name, part in energy.components.items()
            },
        }
    )


class EnergyMeter:
    """Meters phases by name; a phase entered within another pauses the outer one.

    Parameters
    ----------
    country
        ISO 3166 alpha-3 code of where the machine stands, for the CO2 of its electricity; unknown: InputError.

    Attributes
    ----------
    phases
        Energy by phase; a phase entered several times is summed.
    """

    def __init__(self, country: str = "ESP") -> None:
        self.country = check_country(country)
        self.phases: dict[str, PhaseEnergy] = {}
        self._open: list[_Section] = []

    @contextmanager
    def measure(self, phase: str) -> Iterator[PhaseEnergy]:
        """Meter the body as `phase`; the yielded figure is complete once the body has ended."""
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
    """One stay in a phase: starts and stops a tracker, adds what it saw to the phase."""

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
        except Exception as error:  # whatever goes wrong in metering, the training goes on
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
    """Add what a stopped codecarbon tracker saw to `total`; sets `unavailable` where it saw nothing."""
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


def provenances(tracker: Any) -> dict[str, tuple[Provenance, str]]:
    """How each component of a started codecarbon tracker gets its watts, read off the hardware that it holds."""
    found: dict[str, tuple[Provenance, str]] = {}
    for hardware in getattr(tracker, "_hardware", []):
        kind = type(hardware).__name__
        if kind == "CPU":
            found["cpu"] = _cpu_provenance(hardware)
        elif kind == "GPU":
            found["gpu"] = ("measured", "the GPU's own counter (NVML or AMD SMI)")
        elif kind == "RAM":
            forced = getattr(hardware, "_force_ram_power", None)
            found["ram"] = (
                "constant",
                "watts set by the user" if forced else "watts by memory slots, whatever is used",
            )
        else:  # Apple silicon and Raspberry Pi: one object a part, all read from sensors
            part = str(getattr(hardware, "chip_part", "cpu")).lower()
            found[part] = ("measured", f"{kind} power sensors")
    return found


def _cpu_provenance(cpu: Any) -> tuple[Provenance, str]:
    mode = getattr(cpu, "_mode", "unknown")
    tdp = getattr(cpu, "_tdp", None)
    if mode == "cpu_load":
        return "modelled", f"load of the machine x {tdp} W ({getattr(cpu, '_model', 'unknown CPU')})"
    if mode == "constant":
        return "constant", f"half of {tdp} W"
    return "measured", {"intel_rapl": "RAPL"}.get(mode, mode)


def make_tracker(country: str) -> Any:
    """A silent codecarbon tracker that writes no file and asks no server; not started."""
    # it logs before it reads its own log level
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    from codecarbon import OfflineEmissionsTracker

    wanted: dict[str, Any] = {
        "country_iso_code": country,
        "measure_power_secs": SAMPLE_SECONDS,
        "log_level": "critical",
        # the lock file would make a second training fail silently; overlaps are the experiment's to notice
        "allow_multiple_runs": True,
        # tokens in the user's configuration would send look-ups out
        "electricitymaps_api_token": None,
        "output_methods": [],
    }
    known = inspect.signature(OfflineEmissionsTracker.__mro__[1]).parameters
    if "output_methods" not in known:
        wanted.pop("output_methods")
        wanted |= {"save_to_file": False, "save_to_api": False}
    arguments = {name: value for name, value in wanted.items() if name in known or name == "country_iso_code"}
    tracker = OfflineEmissionsTracker(**arguments)
    # an old name of the same token is read from the configuration all the same
    tracker._electricitymaps_api_token = None
    return tracker


def check_country(code: str) -> str:
    """Return the upper-case code; an InputError where codecarbon has no electricity mix for it."""
    upper = str(code).strip().upper()
    known = _known_countries()
    if known and upper not in known:
        raise InputError(
            f"country {code!r}: no electricity mix is known for it; give the ISO code of three letters, such as ESP."
            f"{nearest(upper, known)}"
        )
    return upper


def carbon_intensity(country: str) -> str:
    """In words how much CO2 the electricity of a country stands for, and where that figure is from."""
    from importlib.metadata import version

    from codecarbon.input import DataSource

    mix = DataSource().get_global_energy_mix_data().get(country, {})
    grams, year = mix.get("carbon_intensity"), mix.get("year")
    source = f"the table of electricity mixes in codecarbon {version('codecarbon')}"
    if grams is None:
        return f"CO2: by the mix of {country} in {source}."
    return f"CO2: {grams:g} g/kWh, the mean of {mix.get('country_name', country)} in {year}, by {source}."


@cache
def _known_countries() -> frozenset[str]:
    try:
        from codecarbon.input import DataSource

        return frozenset(DataSource().get_global_energy_mix_data())
    except Exception:  # no list, no check: the tracker says what it can
        return frozenset()
