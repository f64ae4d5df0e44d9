"""The energy of computing image signatures.

A signature is a small summary of an image, which the search for duplicates compares with other signatures. The cache
stores the signatures and the energy of computing them. A search that reads signatures from the cache adds this energy
to its own.
"""

from __future__ import annotations

from pathlib import Path

from detreduce.dataset.records import DetectionDataset
from detreduce.display.numbers import counted
from detreduce.duplicates.pixels.signatures import read_signatures, signature_folder
from detreduce.machine.cache_folder import cache_folder
from detreduce.training.concurrent_runs import overlapped
from detreduce.training.energy.figures import PhaseEnergy
from detreduce.training.energy.making_cost import at_rate, keep_rate, known_rate
from detreduce.training.energy.meter import EnergyMeter


def make_signatures(dataset: DetectionDataset, country: str) -> None:
    """Compute the signatures that are not in the cache yet, and store how much energy this took."""
    with EnergyMeter(country).measure("duplicates") as energy:
        found = read_signatures([record.path for record in dataset], cache_folder())
    energy.overlapped = overlapped()
    made = len(found) - found.from_cache - len(found.failures)
    keep_rate(signature_folder(cache_folder()), made, energy)


def with_signatures(energy: PhaseEnergy, cached: int, cache: str | Path | None = None) -> PhaseEnergy:
    """Return the energy of a search plus the energy of computing the `cached` signatures that it read from the cache.

    `cache` is the cache folder, as in `near_duplicates`. If the cache does not store this energy, the result has ``wh``
    None, and ``unavailable`` gives the reason.
    """
    rate = known_rate(signature_folder(cache_folder(cache)))
    return at_rate(energy, cached, rate, f"the signatures of {counted(cached, 'image')}")
