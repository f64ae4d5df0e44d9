"""Shell completion: suggest values of arguments and options, without reading a dataset."""

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
    """Suggest the names of the methods. The description of each suggestion is the summary of the method."""
    from detreduce.reducers import list_reducers
    from detreduce.reducers.catalogue import described

    return _starting(incomplete, ((name, described(name).summary) for name in list_reducers()))


def parameters(context: typer.Context, incomplete: str) -> Offers:
    """Suggest the parameters of the method that is on the command line, or of the default method if there is none."""
    from detreduce.reducers.catalogue import described
    from detreduce.reducers.description import shown

    with suppress(DetreduceError):
        own = [one for one in described(context.params.get("method") or "srs").parameters if not one.option]
        return _starting(incomplete, ((f"{one.name}=", f"default {shown(one.default)}. {one.text}") for one in own))
    return []


def configs(incomplete: str) -> Offers:
    """Suggest YAML files, and the experiment files that come with detreduce."""
    return _starting(incomplete, _files("configs", incomplete, YAML))


def datasets(incomplete: str) -> Offers:
    """Suggest the datasets that come with detreduce, and the files and folders that may be a dataset."""
    return _starting(incomplete, _files("datasets", incomplete, (*YAML, ".json")))


def keys(incomplete: str) -> Offers:
    """Suggest the keys of an experiment YAML as dotted names, for instance ``train.epochs=``."""
    from detreduce.experiment.config import ExperimentConfig

    return _starting(incomplete, ((f"{name}=", "") for name in _dotted(ExperimentConfig)))


def columns(context: typer.Context, incomplete: str) -> Offers:
    """Suggest the columns of the ledger that is on the command line. After ``=``, suggest the values in the column."""
    from detreduce.experiment.ledger.export import columns_of

    rows = _rows(context)
    column, equals, _ = incomplete.partition("=")
    if equals:
        values = dict.fromkeys(str(row.get(column)) for row in rows)
        return _starting(incomplete, ((f"{column}={value}", "") for value in values))
    return _starting(incomplete, ((f"{name}=", "") for name in columns_of(rows)))


def cells(context: typer.Context, incomplete: str) -> Offers:
    """Suggest the names of the finished cells in the ledger that is on the command line."""
    return _starting(incomplete, ((str(row["key"]), "") for row in _rows(context)))


def ledgers(incomplete: str) -> Offers:
    """Suggest the ledgers in the folder ``runs``. For other folders, the shell's own completion is used."""
    return _starting(incomplete, ((str(place.parent), "") for place in sorted(Path("runs").glob("*/cells"))))


def splits(incomplete: str) -> Offers:
    """Suggest the names of splits."""
    return _starting(incomplete, ((name, "") for name in ("train", "val", "test")))


def rules(incomplete: str) -> Offers:
    """Suggest the names of the rules that assign an image category to each image."""
    return _starting(incomplete, ((name, "") for name in ("rarest", "dominant", "combination", "none")))


def _starting(incomplete: str, offers: Iterable[tuple[str, str]]) -> Offers:
    """Return those suggestions (name, description) that begin with the text that the user has typed."""
    return [offer for offer in offers if offer[0].startswith(incomplete)]


def _files(shipped: str, incomplete: str, endings: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the files in the folder `shipped` of detreduce, then the files and folders that match the typed path."""
    from detreduce.dataset.paths.finding import candidates

    found: dict[str, str] = {}
    for folder in candidates(f"{shipped}/x"):
        found |= {f"{shipped}/{file.name}": "" for file in sorted(folder.parent.glob("*.yaml"))}
    typed = Path(incomplete or ".")
    parent = typed if incomplete.endswith("/") or not incomplete else typed.parent
    with suppress(OSError):
        for entry in sorted(parent.expanduser().iterdir()):
            if entry.is_dir() or entry.suffix in endings:
                found[f"{parent / entry.name}{'/' * entry.is_dir()}"] = ""
    yield from found.items()


def _dotted(model: Any, prefix: str = "") -> Iterator[str]:
    """Yield the names of all fields of a pydantic model as dotted paths, including the fields of nested models."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if hasattr(inner, "model_fields"):
            yield from _dotted(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _rows(context: typer.Context) -> list[dict[str, Any]]:
    """Return the rows of the ledger that is on the command line, or an empty list if there is no ledger."""
    from detreduce.cli.ledger_argument import open_ledger

    # while an option is being completed, the earlier arguments are still in context.args
    typed = [Path(one) for one in (context.params.get("ledger"), *context.args) if one]
    with suppress(DetreduceError, OSError):
        return next((open_ledger(place).rows() for place in typed if place.is_dir()), [])
    return []
