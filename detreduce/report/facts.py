"""What a reader needs to reproduce the numbers of a report: the data, the seeds and the versions."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from detreduce.display.terminal_text import visible_lines
from detreduce.experiment.ledger.finished_cell import FinishedCell

SHOWN_VALUES = 4


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the table of facts: a name, and its value as text. If the cells differ, all values are listed."""

    name: str
    value: str


def config_text(config: dict[str, Any]) -> str:
    """Return the configuration as YAML text, or an empty string if it is empty.

    If the text would contain invisible characters, all characters beyond ASCII are written as codes.
    """
    if not config:
        return ""
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    return text if visible_lines(text) == text else yaml.safe_dump(config, sort_keys=False)


def facts_of(cells: Iterable[FinishedCell], config: dict[str, Any]) -> list[Fact]:
    """Return facts about the cells: their data, model, seeds, machine and versions."""
    records = [cell.training for cell in cells]
    versions = sorted({name for record in records for name in record.versions})
    reduce, energy = config.get("reduce") or {}, config.get("energy") or {}
    found = [
        Fact("dataset", str(config.get("dataset", ""))),
        Fact("hash of the training data", _values(record.data.hash[:16] for record in records)),
        Fact("categories", str(reduce.get("categories", ""))),
        Fact("selection seeds", _values(reduce.get("seeds") or ())),
        Fact("training seeds", _values(record.seed for record in records)),
        Fact("model", _values(record.model.name for record in records)),
        Fact("initial weights (SHA-256)", _values(str(record.model.weights_before)[:16] for record in records)),
        Fact("image size", _values(record.imgsz for record in records)),
        Fact("epochs", _values(record.counts.epochs for record in records)),
        Fact("epoch chosen", _values(record.choose for record in records)),
        Fact("optimiser", _values(_optimiser(record.resolved) for record in records)),
        Fact("device", _values(record.device for record in records)),
        Fact("processor", _values(record.cpu for record in records)),
        Fact("threads", _values(record.threads for record in records)),
        Fact("country of the electricity", str(energy.get("country", ""))),
        Fact("cells started", _between([record.started for record in records])),
    ]
    found += [Fact(name, _values(record.versions.get(name, "none") for record in records)) for name in versions]
    found.append(Fact("report made with Python", platform.python_version()))
    return [fact for fact in found if fact.value not in ("", "None")]


def _optimiser(resolved: dict[str, Any]) -> str:
    """Return the name of the optimiser and its settings as text."""
    parts = [f"{name} {resolved[name]}" for name in ("optimizer", "lr0", "batch", "nbs") if name in resolved]
    return ", ".join(parts)


def _values(values: Iterable[Any]) -> str:
    """Return the distinct values as text.

    A long list of integers becomes a range. Of any other long list, only the first `SHOWN_VALUES` values are shown.
    """
    found = list(dict.fromkeys(str(value) for value in values))
    if len(found) > SHOWN_VALUES and all(value.isdigit() for value in found):
        numbers = sorted(map(int, found))
        return f"{len(found)} values from {numbers[0]} to {numbers[-1]}"
    more = f" and {len(found) - SHOWN_VALUES} more" if len(found) > SHOWN_VALUES else ""
    return ", ".join(found[:SHOWN_VALUES]) + more


def _between(times: list[str]) -> str:
    """Return the earliest and the latest of several ISO times, as text."""
    shown = sorted(time[:16].replace("T", " ") for time in times)
    return "" if not shown else shown[0] if shown[0] == shown[-1] else f"{shown[0]} to {shown[-1]}"
