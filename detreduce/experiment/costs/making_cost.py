"""The energy of making features or signatures, kept in their cache: reading them back is charged at that rate."""

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
"""Fewer images give no rate: loading the network takes most of their time."""


@dataclass(frozen=True, slots=True)
class MakingCost:
    """The energy of making the features of `images` images."""

    images: int
    energy: PhaseEnergy


def charged(pixels: Mapping[str, Any], made: int, images: int, energy: PhaseEnergy) -> PhaseEnergy:
    """Return the energy of making the features of all `images`: `made` of them took `energy`, the cache had the rest.

    Features from the cache are charged at the rate of the new ones, or else at the rate kept in the store of `pixels`
    (a table's provenance). Without a rate the energy is unknown, and `unavailable` says why.
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
    """Return `energy` plus that of making the `cached` images; unknown without a rate, and `what` begins why."""
    if rate is None:
        why = f"{what} took is not known"
        return energy.model_copy(update={"wh": None, "g_co2": None, "components": {}, "unavailable": why})
    return together([energy, scaled(rate.energy, cached / rate.images)])


def keep_rate(store: Path, made: int, energy: PhaseEnergy) -> None:
    """Keep the energy of making images, unless it is no useful rate or the store has the rate of more images.

    If the cache cannot be written, the rate is not kept.
    """
    known = known_rate(store)
    useless = made < LEAST_IMAGES or energy.wh is None or energy.overlapped
    if useless or (known is not None and known.images > made):
        return
    text = json.dumps({"images": made, "energy": energy.model_dump()})
    with suppress(DetreduceError):
        write_atomically(store / COST_FILE, lambda file: file.write(text.encode()))


def known_rate(store: Path) -> MakingCost | None:
    """Return the rate that the store keeps; None without a readable one."""
    try:
        content = json.loads((store / COST_FILE).read_text(encoding="utf-8"))
        return MakingCost(int(content["images"]), PhaseEnergy.model_validate(content["energy"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
