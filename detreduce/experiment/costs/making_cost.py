"""The energy of making features or signatures. The energy is stored in the cache, next to the features or signatures.

A run that reads cached features or signatures is charged the energy of making them, at the stored energy per image.
"""

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
"""Smallest number of images for a rate: for fewer images, loading the network takes most of the time."""


@dataclass(frozen=True, slots=True)
class MakingCost:
    """A measured rate: a number of images, and the energy of making the features or signatures of all these images."""

    images: int
    energy: PhaseEnergy


def charged(pixels: Mapping[str, Any], made: int, images: int, energy: PhaseEnergy) -> PhaseEnergy:
    """Return the energy of making the features of all `images`, including those that came from the cache.

    The features of `made` images were made now, with `energy`. The other images are charged at a rate per image: the
    rate of the features made now, or the rate stored in the cache if the features of too few images were made now.
    `pixels`, from the provenance of a feature table, names the cache. If no rate is known, the returned energy is
    unknown and has the reason.
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
    """Return `energy` plus the energy of making the features or signatures of `cached` images at a rate.

    Without a rate, the returned energy is unknown. `what` is the beginning of the reason.
    """
    if rate is None:
        why = f"{what} took is not known"
        return energy.model_copy(update={"wh": None, "g_co2": None, "components": {}, "unavailable": why})
    return together([energy, scaled(rate.energy, cached / rate.images)])


def keep_rate(store: Path, made: int, energy: PhaseEnergy) -> None:
    """Store the energy of making the features or signatures of `made` images as the rate of a cache folder.

    The rate is not stored if it is not reliable (too few images, unknown energy, overlap with another training), if the
    stored rate is from more images, or if the folder cannot be written.
    """
    known = known_rate(store)
    useless = made < LEAST_IMAGES or energy.wh is None or energy.overlapped
    if useless or (known is not None and known.images > made):
        return
    text = json.dumps({"images": made, "energy": energy.model_dump()})
    with suppress(DetreduceError):
        write_atomically(store / COST_FILE, lambda file: file.write(text.encode()))


def known_rate(store: Path) -> MakingCost | None:
    """Return the rate that is stored in a cache folder. Return None if there is no rate or it cannot be read."""
    try:
        content = json.loads((store / COST_FILE).read_text(encoding="utf-8"))
        return MakingCost(int(content["images"]), PhaseEnergy.model_validate(content["energy"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
