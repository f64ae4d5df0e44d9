"""The search for near-duplicates in the train split of an experiment. The ledger stores the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detreduce.dataset.records import DetectionDataset
from detreduce.duplicates.search import near_duplicates
from detreduce.experiment.ledger.ledger import SEARCH, Ledger
from detreduce.training.concurrent_runs import present
from detreduce.training.energy.signature_cost import make_signatures

NEAR_DUPLICATES_FILE = "near-duplicates.json"
MOST_IMAGES = 200_000
"""Largest number of images to compare with each other.

The search takes minutes. With ten times more images it takes hours.
"""


def keep_near_duplicates(
    dataset: DetectionDataset,
    ledger: Ledger,
    data_identity: str,
    wait: Callable[[], None],
    *,
    country: str,
    most_images: int = MOST_IMAGES,
) -> None:
    """Search the pixels of the train split for near-duplicates, and write ``near-duplicates.json`` into the ledger.

    Nothing happens if the ledger has the result for these images. If there are more than `most_images` images, no
    images are compared, and the file gives the reason. `wait` is called before waiting for the search of another
    process. `country` is the country whose electricity mix converts energy to CO2.
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
    """Return whether the ledger has the result of a search in the same train split."""
    return bool(read_near_duplicates(ledger).get("data") == data_identity)


def read_near_duplicates(ledger: Ledger, dataset: DetectionDataset | None = None) -> dict[str, Any]:
    """Return the content of ``near-duplicates.json`` in the ledger.

    Return {} if the file cannot be read, or if the file is not from `dataset`.
    """
    content = ledger.read_json(NEAR_DUPLICATES_FILE)
    return content if dataset is None or content.get("content_hash") == dataset.content_hash else {}
