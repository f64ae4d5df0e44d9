"""Pydantic models of the files in a ledger, which define their fields and types."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from detreduce.machine.untrusted.checked_json import Stored
from detreduce.machine.untrusted.stored_numbers import Count, Int64, Keep
from detreduce.training.energy import PhaseEnergy


class PlannedCell(Stored):
    """A cell in ``plan.json``. Only its key and the name of its recipe are used."""

    key: str
    recipe: dict[str, Any] | None = None


class _Cell(PlannedCell):
    """The cell in ``cell.json``. `Cell` documents the fields."""

    label: str
    method: str
    control: str | None
    keep: Keep
    training_seed: Int64
    selection_seed: Int64 | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    composition: dict[str, Any] = Field(default_factory=dict)


class _Selection(Stored):
    """The counts and the hash of a selection. All are None for a control on all images."""

    images: Count | None = None
    of: Count | None = None
    hash: str | None = None
    set_hash: str | None = None
    fitted_at: Keep | None = None
    deterministic: bool | None = None


class _Ran(Stored):
    machine: str | None = None
    host: str | None = None
    started: str | None = None
    ended: str | None = None
    training_seconds: float | None = None
    overlapped: bool | None = None


class CellFile(Stored):
    """The content of ``cell.json``. `FinishedCell` documents the fields."""

    cell: _Cell
    selection: _Selection
    choosing: dict[str, PhaseEnergy]
    ran: _Ran = Field(default_factory=_Ran)


class CostFile(Stored):
    """The cost of extracting features or of searching for duplicates.

    `from_cache` is the number of images whose features or signatures came from the cache.
    """

    energy: PhaseEnergy
    from_cache: Count = 0
