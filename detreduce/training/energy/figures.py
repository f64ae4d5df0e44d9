"""The energy, CO2 and time of one phase, and sums over several phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

Provenance = Literal["measured", "modelled", "constant"]


class ComponentEnergy(BaseModel):
    """The energy of one hardware component.

    Attributes
    ----------
    wh
        The energy in watt-hours.
    provenance
        ``measured`` (by a counter or sensor in the hardware), ``modelled`` (computed from the load) or ``constant`` (a
        fixed power times the time).
    method
        How the energy was metered, in words.
    """

    model_config = ConfigDict(extra="forbid")

    wh: float = 0.0
    provenance: Provenance
    method: str


class PhaseEnergy(BaseModel):
    """The energy, CO2 and time of one phase. The values are complete when the phase has ended.

    Attributes
    ----------
    seconds
        Wall-clock time in seconds. It is measured without codecarbon, so it is always known.
    wh
        Energy of all components in watt-hours. None if the energy could not be metered.
    g_co2
        Grams of CO2-equivalent. None if the energy could not be metered.
    components
        The energy of ``cpu``, ``gpu`` and ``ram``, if the machine has them.
    country
        The country whose electricity mix is used to convert energy to CO2 (ISO 3166 alpha-3 code).
    unavailable
        Why the energy is not known. None if it is known.
    overlapped
        Whether another training or selection of detreduce ran on the machine at the same time. If True, the values
        include the energy of the other process. None if this is not known.
    """

    model_config = ConfigDict(extra="forbid")

    seconds: float = 0.0
    wh: float | None = None
    g_co2: float | None = None
    components: dict[str, ComponentEnergy] = {}
    country: str = ""
    unavailable: str | None = None
    overlapped: bool | None = None


def phase_columns(phases: Mapping[str, PhaseEnergy]) -> dict[str, float | None]:
    """Return the columns ``<phase>_Wh`` and ``<phase>_seconds`` of a table row for each phase.

    For an overlapped phase, Wh is None, because it would include the energy of another process.
    """
    return {
        f"{phase.replace(' ', '_')}_{name}": value
        for phase, energy in phases.items()
        for name, value in (("Wh", None if energy.overlapped else energy.wh), ("seconds", energy.seconds))
    }


def together(parts: Sequence[PhaseEnergy]) -> PhaseEnergy:
    """Return the sum of several phases. Its energy is None if the energy of any phase is None."""
    total = PhaseEnergy(seconds=sum(part.seconds for part in parts), country=parts[0].country if parts else "")
    total.unavailable = next((part.unavailable for part in parts if part.unavailable), None)
    total.overlapped = True if any(part.overlapped for part in parts) else None
    known = [part.wh is not None and part.g_co2 is not None for part in parts]
    if parts and all(known):
        total.wh = sum(part.wh or 0.0 for part in parts)
        total.g_co2 = sum(part.g_co2 or 0.0 for part in parts)
    for part in parts:
        for name, component in part.components.items():
            summed = total.components.setdefault(name, component.model_copy(update={"wh": 0.0}))
            summed.wh += component.wh
    return total


def scaled(energy: PhaseEnergy, factor: float) -> PhaseEnergy:
    """Return a copy in which the energy, the CO2 and the seconds are multiplied by `factor`."""
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
