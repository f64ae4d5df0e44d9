"""Near-duplicates among an experiment's training images: looked for once and kept in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detreduce.dataset.records import DetectionDataset
from detreduce.duplicates.search import near_duplicates
from detreduce.experiment.costs.signature_cost import make_signatures
from detreduce.experiment.ledger.ledger import SEARCH, Ledger
from detreduce.training.concurrent_runs import present

NEAR_DUPLICATES_FILE = "near-duplicates.json"
MOST_IMAGES = 200_000
"""Most images to compare with each other: this many take minutes, ten times more take hours."""


def keep_near_duplicates(
    dataset: DetectionDataset,
    ledger: Ledger,
    data_identity: str,
    wait: Callable[[], None],
    *,
    country: str,
    most_images: int = MOST_IMAGES,
) -> None:
    """Write the ledger's ``near-duplicates.json``, by pixels, unless it is there for these images.

    If there are more images than `most_images`, the file says that they were not compared. `wait` is called before
    waiting for the search of another process; `country` is that of the electricity.
    """
    if has_near_duplicates(ledger, data_identity):
        return
    content: dict[str, Any] = {"data": data_identity, "content_hash": dataset.content_hash}
    with ledger.exclusive(SEARCH, wait), present():
        if has_near_duplicates(ledger, data_identity):
            return
        if len(dataset) > most_images:
            content |= {"images": len(dataset), "skipped": f"there are more than {most_images} images"}
        else:
            make_signatures(dataset, country)
            content |= near_duplicates(dataset).to_dict()
        ledger.write_json(NEAR_DUPLICATES_FILE, content)


def has_near_duplicates(ledger: Ledger, data_identity: str) -> bool:
    """Return whether the ledger has the search of these images."""
    return bool(read_near_duplicates(ledger).get("data") == data_identity)


def read_near_duplicates(ledger: Ledger, dataset: DetectionDataset | None = None) -> dict[str, Any]:
    """Return the content of the ledger's ``near-duplicates.json``; empty without one of this dataset."""
    content = ledger.read_json(NEAR_DUPLICATES_FILE)
    return content if dataset is None or content.get("content_hash") == dataset.content_hash else {}
