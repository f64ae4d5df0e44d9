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

from detreduce.display.numbers import counted
from detreduce.errors import DetreduceError
from detreduce.machine.files import write_atomically
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import RECORDS, read_regular
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
    """Return the energy that it takes to compute the features of all `images` images without a cache.

    `energy` is the energy of this run, which computed the features of only `made` images. The other features came from
    the cache, and their energy is estimated from the energy per image. The energy per image is taken from this run if
    `made` is at least `LEAST_IMAGES`, and otherwise from the cache. If the cache does not have this value, the result
    has ``wh`` None, and ``unavailable`` gives the reason. `pixels` is the provenance of the features. Its entry
    ``store`` is the path of the cache.
    """
    store = Path(str(pixels["store"])) if pixels.get("store") else None
    if store is None:
        return energy
    keep_rate(store, made, energy)
    if made >= images:
        return energy
    rate = MakingCost(made, energy) if made >= LEAST_IMAGES else known_rate(store)
    return at_rate(energy, images - made, rate, f"the features of {counted(images - made, 'image')}")


def charged_table(provenance: Mapping[str, Any], images: int, energy: PhaseEnergy) -> PhaseEnergy:
    """Return the energy that it takes to compute a feature table without a cache, as `charged` does.

    `provenance` is the provenance of the whole table, and `images` is its number of images.
    """
    pixels = provenance.get("image") or provenance.get("objects") or {}
    return charged(pixels, int(pixels.get("passes", images)), images, energy)


def at_rate(energy: PhaseEnergy, cached: int, rate: MakingCost | None, what: str) -> PhaseEnergy:
    """Return `energy` plus the energy for `cached` more images. `rate` gives the energy per image.

    If `rate` is None, the result has ``wh`` None, and ``unavailable`` gives the reason. `what` is the subject of this
    reason, for example ``the features of 20 images``.
    """
    if rate is None:
        why = f"{what} were in the cache, and the energy used to compute them is not known"
        return energy.model_copy(update={"wh": None, "g_co2": None, "components": {}, "unavailable": why})
    return together([energy, scaled(rate.energy, cached / rate.images)])


def keep_rate(store: Path, made: int, energy: PhaseEnergy) -> None:
    """Store in a cache folder how much energy it took to compute the features or signatures of `made` images.

    Nothing is stored if `made` is below `LEAST_IMAGES`, if the energy is not known, or if another training ran at the
    same time. A stored value that was measured on more images is not replaced. If the folder cannot be written, no
    error is raised.
    """
    known = known_rate(store)
    useless = made < LEAST_IMAGES or energy.wh is None or energy.overlapped
    if useless or (known is not None and known.images > made):
        return
    text = json.dumps({"images": made, "energy": energy.model_dump()})
    with suppress(DetreduceError):
        write_atomically(store / COST_FILE, lambda file: file.write(text.encode()))


def known_rate(store: Path) -> MakingCost | None:
    """Return the value that `keep_rate` stored in a cache folder. Return None if no value can be read."""
    try:
        content = parse_json(read_regular(store / COST_FILE, RECORDS))
        return MakingCost(int(content["images"]), PhaseEnergy.model_validate(content["energy"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
