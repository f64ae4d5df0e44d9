"""Record in the ledger which images of train an experiment leaves out because they are also in val or test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.experiment.ledger.ledger import Ledger

DROPPED_FILE = "dropped-leaks.json"


@dataclass(frozen=True)
class DroppedLeaks:
    """The images of train that no training of an experiment uses, because they are also in val or test.

    Attributes
    ----------
    images
        Ids of the images that are left out, in the order of the dataset.
    of
        Number of images in train, including those that are left out.
    line
        One sentence with the result of the search.
    """

    images: tuple[ImageId, ...]
    of: int
    line: str

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``dropped-leaks.json``."""
        return {"images": list(self.images), "of": self.of, "line": self.line}


def without_dropped(dataset: DetectionDataset, ledger: Ledger) -> DetectionDataset:
    """Return the train split without the images that the trainings of a ledger left out."""
    out = set(map(str, read_dropped(ledger).get("images", ())))
    if not out:
        return dataset
    return replace(dataset, records=tuple(record for record in dataset if str(record.id) not in out))


def keep_dropped(ledger: Ledger, dropped: DroppedLeaks | None) -> None:
    """Record in ``dropped-leaks.json`` in the ledger which images were left out.

    If `dropped` is None, there was no search. In this case, the file of an earlier run is emptied.
    """
    if dropped is not None or read_dropped(ledger):
        ledger.write_json(DROPPED_FILE, dropped.to_dict() if dropped is not None else {})


def read_dropped(ledger: Ledger) -> dict[str, Any]:
    """Return the content of ``dropped-leaks.json`` in the ledger, or an empty dict if it does not exist or is
    invalid.
    """
    content = ledger.read_json(DROPPED_FILE)
    return content if isinstance(content.get("images"), list) and isinstance(content.get("line"), str) else {}
