"""Energy, CO2 and time of one phase, and sums of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

Provenance = Literal["measured", "modelled", "constant"]


class ComponentEnergy(BaseModel):
    """Energy of one part of the machine.

    Attributes
    ----------
    wh
        Watt-hours.
    provenance
        ``measured`` (a counter or sensor of the hardware), ``modelled`` (from the load) or ``constant`` (watts x time).
    method
        The method in words.
    """

    model_config = ConfigDict(extra="forbid")

    wh: float = 0.0
    provenance: Provenance
    method: str


class PhaseEnergy(BaseModel):
    """Energy, CO2 and time of one phase. It is complete when the phase has ended.

    Attributes
    ----------
    seconds
        Wall-clock time. It is measured without codecarbon, so it is always known.
    wh, g_co2
        Watt-hours of all components and grams of CO2-equivalent; None if energy could not be metered.
    components
        ``cpu``, ``gpu``, ``ram``: those that the machine has.
    unavailable
        Why there is no energy figure, else None.
    overlapped
        Whether another training of detreduce ran on the machine at the same time: its energy is then included. None if
        this is not known, or is stored elsewhere.
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
    """Return the sum of several phases; its energy is None if one of them has none."""
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
    """Return the energy multiplied by `factor`, its seconds too."""
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
