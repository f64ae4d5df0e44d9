"""The energy that it took to compute features or signatures.

The cache stores this energy per image. A run that reads features or signatures from the cache is charged for them, as
if it had computed them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detreduce.errors import DetreduceError
from detreduce.machine.documents import parse_json
from detreduce.machine.files import write_atomically
from detreduce.machine.regular_files import RECORDS, read_regular
from detreduce.training.energy.figures import PhaseEnergy, scaled, together

COST_FILE = "making.json"
LEAST_IMAGES = 8
"""The energy per image is computed only from at least this many images, because loading the network dominates
otherwise.
"""


@dataclass(frozen=True, slots=True)
class MakingCost:
    """The measured energy of computing the features or signatures of a number of images."""

    images: int
    energy: PhaseEnergy


def charged(pixels: Mapping[str, Any], made: int, images: int, energy: PhaseEnergy) -> PhaseEnergy:
    """Return the energy of computing the features of all `images` images, including those that came from the cache.

    This run computed the features of `made` images and used `energy`. Each image from the cache is charged with the
    energy per image of this run. If `made` is below `LEAST_IMAGES`, the energy per image that the cache stores is used
    instead. If this energy is not known, the result has ``wh`` None, and ``unavailable`` gives the reason. `pixels` is
    the provenance of the features. Its entry ``store`` is the path of the cache.
    """
    store = Path(str(pixels["store"])) if pixels.get("store") else None
    if store is None:
        return energy
    keep_rate(store, made, energy)
    if made >= images:
        return energy
    rate = MakingCost(made, energy) if made >= LEAST_IMAGES else known_rate(store)
    return at_rate(energy, images - made, rate, f"the features of {images - made} images")


def charged_table(provenance: Mapping[str, Any], images: int, energy: PhaseEnergy) -> PhaseEnergy:
    """Return the energy of computing a table of features of `images` images, given its provenance (see `charged`)."""
    pixels = provenance.get("image") or provenance.get("objects") or {}
    return charged(pixels, int(pixels.get("passes", images)), images, energy)


def at_rate(energy: PhaseEnergy, cached: int, rate: MakingCost | None, what: str) -> PhaseEnergy:
    """Return `energy` plus the energy of `cached` images, at the energy per image in `rate`.

    If `rate` is None, the result has ``wh`` None, and ``unavailable`` gives the reason. In this text, `what` names the
    data that came from the cache.
    """
    if rate is None:
        why = f"{what} were in the cache, and the energy used to compute them is not known"
        return energy.model_copy(update={"wh": None, "g_co2": None, "components": {}, "unavailable": why})
    return together([energy, scaled(rate.energy, cached / rate.images)])


def keep_rate(store: Path, made: int, energy: PhaseEnergy) -> None:
    """Store in a cache folder how much energy it took to compute the features or signatures of `made` images.

    Nothing is stored if the energy per image is not reliable: too few images, unknown energy, or overlap with another
    training. Nothing is stored either if the known energy was measured on more images, or if the folder cannot be
    written.
    """
    known = known_rate(store)
    useless = made < LEAST_IMAGES or energy.wh is None or energy.overlapped
    if useless or (known is not None and known.images > made):
        return
    text = json.dumps({"images": made, "energy": energy.model_dump()})
    with suppress(DetreduceError):
        write_atomically(store / COST_FILE, lambda file: file.write(text.encode()))


def known_rate(store: Path) -> MakingCost | None:
    """Return the energy that `keep_rate` stored in a cache folder, or None if there is none or it cannot be read."""
    try:
        content = parse_json(read_regular(store / COST_FILE, RECORDS))
        return MakingCost(int(content["images"]), PhaseEnergy.model_validate(content["energy"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
