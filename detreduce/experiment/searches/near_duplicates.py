"""Which training images of an experiment show the same, looked for once and kept in the ledger."""

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
"""Every image is compared with all others: of so many it takes minutes, of ten times as many hours."""


def keep_near_duplicates(
    dataset: DetectionDataset,
    ledger: Ledger,
    data_identity: str,
    wait: Callable[[], None],
    *,
    country: str,
    most_images: int = MOST_IMAGES,
) -> None:
    """Write the ledger's ``near-duplicates.json``, by pixels, unless it has one of these very images.

    Of more images than `most_images` it says that they were not looked for. `wait` is called before waiting for
    another process's search; `country` is that of the energy which making the signatures takes.
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
    """Whether these very images were looked at."""
    return bool(read_near_duplicates(ledger).get("data") == data_identity)


def read_near_duplicates(ledger: Ledger, dataset: DetectionDataset | None = None) -> dict[str, Any]:
    """The content of the ledger's ``near-duplicates.json``; empty where there is none, or none of this dataset."""
    content = ledger.read_json(NEAR_DUPLICATES_FILE)
    return content if dataset is None or content.get("content_hash") == dataset.content_hash else {}
