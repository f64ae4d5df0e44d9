"""What making features or signatures took, kept beside them in the cache: reading them back is charged at that rate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detreduce.errors import DetreduceError
from detreduce.machine.files import write_atomically
from detreduce.training.energy import PhaseEnergy, scaled, together

COST_FILE = "making.json"
LEAST_IMAGES = 8
"""Fewer say little of a rate: most of their time is that of loading the network."""


@dataclass(frozen=True, slots=True)
class MakingCost:
    """What so many images took together."""

    images: int
    energy: PhaseEnergy


def charged(pixels: Mapping[str, Any], made: int, images: int, energy: PhaseEnergy) -> PhaseEnergy:
    """What it takes to make the features of all `images`, of which `made` were made now with `energy`.

    Those that the cache had are charged at the rate of making them, as the store of `pixels` (a table's provenance)
    keeps it, or as these ones have it; where neither is known the energy is not known, and says why.
    """
    store = Path(str(pixels["store"])) if pixels.get("store") else None
    if store is None:
        return energy
    keep_rate(store, made, energy)
    if made >= images:
        return energy
    rate = MakingCost(made, energy) if made >= LEAST_IMAGES else known_rate(store)
    return at_rate(
        energy, images - made, rate, f"{images - made} images were in the cache, and what making their features"
    )


def at_rate(energy: PhaseEnergy, cached: int, rate: MakingCost | None, what: str) -> PhaseEnergy:
    """`energy` with that of making so many `cached` ones; without a rate it is not known, and `what` begins why."""
    if rate is None:
        why = f"{what} took is not known"
        return energy.model_copy(update={"wh": None, "g_co2": None, "components": {}, "unavailable": why})
    return together([energy, scaled(rate.energy, cached / rate.images)])


def keep_rate(store: Path, made: int, energy: PhaseEnergy) -> None:
    """Keep what making so many took, where that tells something and the store has not that of more images.

    A cache that cannot be written goes without.
    """
    known = known_rate(store)
    useless = made < LEAST_IMAGES or energy.wh is None or energy.overlapped
    if useless or (known is not None and known.images > made):
        return
    text = json.dumps({"images": made, "energy": energy.model_dump()})
    with suppress(DetreduceError):
        write_atomically(store / COST_FILE, lambda file: file.write(text.encode()))


def known_rate(store: Path) -> MakingCost | None:
    """What the store says; None where it says nothing that can be read."""
    try:
        content = json.loads((store / COST_FILE).read_text(encoding="utf-8"))
        return MakingCost(int(content["images"]), PhaseEnergy.model_validate(content["energy"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
