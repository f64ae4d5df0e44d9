"""Duplicates of an experiment's dataset, searched once, with what the search cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detreduce.duplicates.result import Duplicates
from detreduce.errors import InputError
from detreduce.experiment.cells import Cell
from detreduce.experiment.costs.signature_cost import with_signatures
from detreduce.experiment.ledger.identity import features_identity
from detreduce.experiment.ledger.ledger import SEARCH
from detreduce.experiment.sources import Sources
from detreduce.machine.hashes import content_digest
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.selection.duplicate_search import duplicates_to_drop
from detreduce.selection.request import CompositionRequest
from detreduce.training.concurrent_runs import overlapped, present
from detreduce.training.energy import EnergyMeter, PhaseEnergy

PHASE = "duplicates"


class Redundancy:
    """Finds the duplicates that cells drop; cells with the same search share its result and its cost.

    `paid` is called with the cost of each search, `wait` before waiting for another process's.
    """

    def __init__(self, sources: Sources, *, paid: Callable[[PhaseEnergy], None], wait: Callable[[], None]) -> None:
        self.sources, self.dataset, self.ledger = sources, sources.dataset, sources.ledger
        self._paid, self._wait = paid, wait
        self._found: dict[str, Duplicates] = {}

    def find(self, cell: Cell) -> tuple[Duplicates | None, dict[str, PhaseEnergy]]:
        """Return the duplicates that the cell drops, None where it drops none, and the cost of the search by phase."""
        found = self._search(cell.composition)
        if found is None:
            return None, {}
        kept = json.loads(self._cost_file(cell.composition).read_text(encoding="utf-8"))
        return found, {PHASE: PhaseEnergy.model_validate(kept["energy"])}

    def check(self, cell: Cell) -> None:
        """Raise InputError where fewer images are left without duplicates than the cell keeps."""
        found = self._search(cell.composition)
        k, most = resolve_keep(cell.keep, len(self.dataset)), len(self.dataset) - len(found.pairs if found else ())
        if k > most:
            raise InputError(
                f"{cell.label} at keep {cell.keep}: {k} images are to be kept, but {most} of {len(self.dataset)} are "
                f"left without duplicates: keep at most {most}."
            )

    def is_searched(self, cell: Cell) -> bool:
        """Return whether the ledger knows the cost of the cell's search, if it has one."""
        return not cell.composition.get("drop_duplicates") or self._cost_file(cell.composition).is_file()

    def _search(self, composition: dict[str, Any]) -> Duplicates | None:
        request = CompositionRequest.of(**composition)
        if request.drop_duplicates is None:
            return None
        key = self._key(composition)
        if key not in self._found:
            source = self.sources.vectors() if request.by_features else self.dataset
            with self.ledger.exclusive(SEARCH, self._wait), present():
                with EnergyMeter(self.sources.config.energy.country).measure(PHASE) as energy:
                    found = duplicates_to_drop(source, request)
                assert found is not None
                energy.overlapped = overlapped()
                self._keep_cost(composition, found, energy)
            self._paid(energy)
            self._found[key] = found
        return self._found[key]

    def _keep_cost(self, composition: dict[str, Any], found: Duplicates, energy: PhaseEnergy) -> None:
        """Keep the cost of the first search."""
        file = self._cost_file(composition)
        cached = int(found.provenance.get("from_cache", 0))
        if file.is_file() and cached >= found.images:
            return
        if cached:
            # reading and comparing is not the whole cost of a search
            energy = with_signatures(energy, cached)
        content = {"energy": energy.model_dump(), "from_cache": cached, "images": found.images}
        self.ledger.write_json(file.name, content)

    def _cost_file(self, composition: dict[str, Any]) -> Path:
        return self.ledger.path / f"{PHASE}-{self._key(composition)}.json"

    def _key(self, composition: dict[str, Any]) -> str:
        question = [composition.get("drop_duplicates"), composition.get("must_keep")]
        if "initial" in composition:
            question.append(composition["initial"])
        if CompositionRequest.of(**composition).by_features:
            question.append(features_identity(self.sources.config.features))
        return content_digest(json.dumps(question, default=str).encode()).hex()[:10]
