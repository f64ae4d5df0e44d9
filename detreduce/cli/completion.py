"""Shell completion: offer the names that are known without reading data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from detreduce.errors import DetreduceError

Offers = list[tuple[str, str]]
YAML = (".yaml", ".yml")


def methods(incomplete: str) -> Offers:
    """Offer the methods, each with a summary."""
    from detreduce.reducers import list_reducers
    from detreduce.reducers.catalogue import described

    return _starting(incomplete, ((name, described(name).summary) for name in list_reducers()))


def parameters(context: typer.Context, incomplete: str) -> Offers:
    """Offer the parameters of the method typed so far, or of the default method."""
    from detreduce.reducers.catalogue import described
    from detreduce.reducers.description import shown

    with suppress(DetreduceError):
        own = [one for one in described(context.params.get("method") or "srs").parameters if not one.option]
        return _starting(incomplete, ((f"{one.name}=", f"default {shown(one.default)}. {one.text}") for one in own))
    return []


def configs(incomplete: str) -> Offers:
    """Offer the experiments that detreduce ships, and YAML files."""
    return _starting(incomplete, _files("configs", incomplete, YAML))


def datasets(incomplete: str) -> Offers:
    """Offer the datasets that detreduce ships, and files and folders that may be one."""
    return _starting(incomplete, _files("datasets", incomplete, (*YAML, ".json")))


def keys(incomplete: str) -> Offers:
    """Offer the keys of an experiment, by dotted name."""
    from detreduce.experiment.config import ExperimentConfig

    return _starting(incomplete, ((f"{name}=", "") for name in _dotted(ExperimentConfig)))


def columns(context: typer.Context, incomplete: str) -> Offers:
    """Offer the columns of the ledger typed so far, and after ``=`` the values in a column."""
    from detreduce.experiment.ledger.export import columns_of

    rows = _rows(context)
    column, equals, _ = incomplete.partition("=")
    if equals:
        values = dict.fromkeys(str(row.get(column)) for row in rows)
        return _starting(incomplete, ((f"{column}={value}", "") for value in values))
    return _starting(incomplete, ((f"{name}=", "") for name in columns_of(rows)))


def cells(context: typer.Context, incomplete: str) -> Offers:
    """Offer the finished cells of the ledger typed so far."""
    return _starting(incomplete, ((str(row["key"]), "") for row in _rows(context)))


def ledgers(incomplete: str) -> Offers:
    """Offer the ledgers below ``runs``; the shell completes other folders."""
    return _starting(incomplete, ((str(place.parent), "") for place in sorted(Path("runs").glob("*/cells"))))


def splits(incomplete: str) -> Offers:
    """Offer the names of splits."""
    return _starting(incomplete, ((name, "") for name in ("train", "val", "test")))


def rules(incomplete: str) -> Offers:
    """Offer the rules that make categories."""
    return _starting(incomplete, ((name, "") for name in ("rarest", "dominant", "combination", "none")))


def _starting(incomplete: str, offers: Iterable[tuple[str, str]]) -> Offers:
    return [offer for offer in offers if offer[0].startswith(incomplete)]


def _files(shipped: str, incomplete: str, endings: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield what ships in a folder, then what is on disk where `incomplete` points."""
    from detreduce.dataset.finding import candidates

    found: dict[str, str] = {}
    for folder in candidates(f"{shipped}/x"):
        found |= {f"{shipped}/{file.name}": "" for file in sorted(folder.parent.glob("*.yaml"))}
    typed = Path(incomplete or ".")
    beside = typed if incomplete.endswith("/") or not incomplete else typed.parent
    with suppress(OSError):
        for entry in sorted(beside.expanduser().iterdir()):
            if entry.is_dir() or entry.suffix in endings:
                found[f"{beside / entry.name}{'/' * entry.is_dir()}"] = ""
    yield from found.items()


def _dotted(model: Any, prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if hasattr(inner, "model_fields"):
            yield from _dotted(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _rows(context: typer.Context) -> list[dict[str, Any]]:
    from detreduce.cli.ledger_argument import open_ledger

    # while an option waits for its value, the arguments typed before are not assigned yet
    typed = [Path(one) for one in (context.params.get("ledger"), *context.args) if one]
    with suppress(DetreduceError, OSError):
        return next((open_ledger(place).rows() for place in typed if place.is_dir()), [])
    return []
