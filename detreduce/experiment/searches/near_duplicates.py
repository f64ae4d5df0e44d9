"""Search for near-duplicates in the train split of an experiment, and store the result in the ledger."""

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
"""Largest number of images that are compared with each other.

For this number, the search takes minutes. With ten times more images, it would take hours.
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
    """Search the train split for near-duplicates by pixels, and write ``near-duplicates.json`` to the ledger.

    If the ledger already has the result for these images, nothing happens. If there are more than `most_images` images,
    no images are compared, and the file says why. `wait` is called before this process waits for the search of another
    process. `country` is the country whose electricity mix is used to convert energy to CO2.
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
    """Return whether the ledger already has the result of the search for these images."""
    return bool(read_near_duplicates(ledger).get("data") == data_identity)


def read_near_duplicates(ledger: Ledger, dataset: DetectionDataset | None = None) -> dict[str, Any]:
    """Return the content of ``near-duplicates.json`` in the ledger.

    Return an empty dict if the file cannot be read. If `dataset` is given, also return an empty dict if the file
    belongs to another dataset.
    """
    content = ledger.read_json(NEAR_DUPLICATES_FILE)
    return content if dataset is None or content.get("content_hash") == dataset.content_hash else {}
