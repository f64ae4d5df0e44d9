"""What the splits of an experiment's dataset share, looked for once and kept in the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from detreduce.dataset.records import DetectionDataset
from detreduce.duplicates.leakage import leakage_report
from detreduce.experiment.ledger import SEARCH, Ledger
from detreduce.training.presence import present

LEAKAGE_FILE = "leakage.json"


def keep_leakage(dataset: DetectionDataset, ledger: Ledger, data_identity: str, wait: Callable[[], None]) -> None:
    """Write the ledger's ``leakage.json``, by pixels, unless it has one of these very images.

    `wait` is called before waiting for another process's search.
    """
    if has_leakage(ledger, data_identity):
        return
    with ledger.exclusive(SEARCH, wait), present():
        if has_leakage(ledger, data_identity):
            return
        content = {"data": data_identity, **leakage_report(dataset).to_dict()}
        ledger.write_text(LEAKAGE_FILE, json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n")


def has_leakage(ledger: Ledger, data_identity: str) -> bool:
    """Whether these very images were looked at."""
    return bool(read_leakage(ledger).get("data") == data_identity)


def read_leakage(ledger: Ledger) -> dict[str, Any]:
    """The content of the ledger's ``leakage.json``; empty where there is none, or none that can be read."""
    try:
        content = json.loads((ledger.path / LEAKAGE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
