"""What making features took, kept beside them in the cache, so that reading them back is charged at that rate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detreduce.paths import write_atomically
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
    if made >= LEAST_IMAGES and store is not None and energy.wh is not None and not energy.overlapped:
        _keep(store, MakingCost(made, energy))
    if made >= images or store is None:
        return energy
    rate = MakingCost(made, energy) if made >= LEAST_IMAGES else _read(store)
    if rate is None:
        why = f"{images - made} images were in the cache, and what making their features took is not known"
        return energy.model_copy(update={"wh": None, "g_co2": None, "components": {}, "unavailable": why})
    return together([energy, scaled(rate.energy, (images - made) / rate.images)])


def _keep(store: Path, cost: MakingCost) -> None:
    """Keep the rate of most images; a cache that cannot be written goes without."""
    known = _read(store)
    if known is not None and known.images > cost.images:
        return
    text = json.dumps({"images": cost.images, "energy": cost.energy.model_dump()})
    try:
        write_atomically(store / COST_FILE, lambda file: file.write(text.encode()))
    except OSError:
        return


def _read(store: Path) -> MakingCost | None:
    try:
        content = json.loads((store / COST_FILE).read_text(encoding="utf-8"))
        return MakingCost(int(content["images"]), PhaseEnergy.model_validate(content["energy"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
