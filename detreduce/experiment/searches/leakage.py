"""Search for images that are in several splits of a dataset, and store the result in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from detreduce.dataset import load_split
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.splits import CANONICAL
from detreduce.duplicates.leakage import leakage_report
from detreduce.experiment.ledger.ledger import SEARCH, Ledger
from detreduce.experiment.searches.near_duplicates import MOST_IMAGES
from detreduce.training.concurrent_runs import present

LEAKAGE_FILE = "leakage.json"
MOST_PAIRS = MOST_IMAGES**2 // 2
"""Largest number of pairs of images to compare. It corresponds to the largest split in which near-duplicates are
searched.
"""


def keep_leakage(
    dataset: DetectionDataset,
    ledger: Ledger,
    data_identity: str,
    wait: Callable[[], None],
    most_pairs: int = MOST_PAIRS,
) -> None:
    """Compare pixels to find images that are in several splits. Write the result to ``leakage.json`` in the ledger.

    If the ledger already has the result for these images, nothing happens. If there are more than `most_pairs` pairs of
    images from different splits, no images are compared, and the file says why. `wait` is called before this process
    waits for the search of another process.
    """
    if has_leakage(ledger, data_identity):
        return
    with ledger.exclusive(SEARCH, wait), present():
        if has_leakage(ledger, data_identity):
            return
        content: dict[str, Any] = {"data": data_identity}
        splits = _images(dataset)
        if sum(one * other for one, other in combinations(splits.values(), 2)) > most_pairs:
            content |= {"splits": splits, "skipped": f"the splits have more than {most_pairs} pairs of images"}
        else:
            content |= leakage_report(dataset).to_dict()
        ledger.write_json(LEAKAGE_FILE, content)


def _images(dataset: DetectionDataset) -> dict[str, int]:
    """Return the name of each split to search, with its number of images."""
    names = [name for name in dataset.source.splits if name in CANONICAL]
    return {name: len(dataset if name == dataset.split else load_split(dataset.source, name)) for name in names}


def has_leakage(ledger: Ledger, data_identity: str) -> bool:
    """Return whether the ledger already has the result of the search for these images."""
    return bool(read_leakage(ledger).get("data") == data_identity)


def read_leakage(ledger: Ledger) -> dict[str, Any]:
    """Return the content of ``leakage.json`` in the ledger, or an empty dict if the file cannot be read."""
    return ledger.read_json(LEAKAGE_FILE)
