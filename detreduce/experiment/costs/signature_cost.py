"""What making signatures took, kept beside them in the cache: a later search that reads them back is charged it."""

from __future__ import annotations

from detreduce.dataset.records import DetectionDataset
from detreduce.duplicates.signatures import read_signatures, signature_folder
from detreduce.experiment.costs.making_cost import at_rate, keep_rate, known_rate
from detreduce.machine.cache_folder import cache_folder
from detreduce.training.concurrent_runs import overlapped
from detreduce.training.energy import EnergyMeter, PhaseEnergy


def make_signatures(dataset: DetectionDataset, country: str) -> None:
    """Make those of a dataset's images that the cache lacks, and keep what that took."""
    with EnergyMeter(country).measure("duplicates") as energy:
        found = read_signatures([record.path for record in dataset], cache_folder())
    energy.overlapped = overlapped()
    made = len(found) - found.from_cache - len(found.failures)
    keep_rate(signature_folder(cache_folder()), made, energy)


def with_signatures(energy: PhaseEnergy, cached: int) -> PhaseEnergy:
    """A search's energy with that of making the signatures that the cache had; not known, with why, without a rate."""
    rate = known_rate(signature_folder(cache_folder()))
    return at_rate(energy, cached, rate, f"the signatures of {cached} images were in the cache, and what making them")
