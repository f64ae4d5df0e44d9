"""The searches for the near-duplicates that are left out before a method chooses, and the cost of each search."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detreduce.display.numbers import counted
from detreduce.duplicates.result import Duplicates
from detreduce.errors import InputError
from detreduce.experiment.cells import Cell
from detreduce.experiment.ledger.identity import features_identity
from detreduce.experiment.ledger.ledger import SEARCH
from detreduce.experiment.ledger.stored import CostFile
from detreduce.experiment.sources import Sources
from detreduce.machine.hashes import content_digest
from detreduce.machine.untrusted.checked_json import read_checked
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.selection.duplicate_search import duplicates_to_drop
from detreduce.selection.request import CompositionRequest
from detreduce.training.concurrent_runs import overlapped, present
from detreduce.training.energy import EnergyMeter, PhaseEnergy
from detreduce.training.energy.signature_cost import with_signatures

PHASE = "duplicates"


class DuplicateSearches:
    """Find the near-duplicates that cells leave out. Cells with the same search share its result and its cost.

    `paid` is called with the cost of each search. `wait` is called before this process waits for the search of another
    process.
    """

    def __init__(self, sources: Sources, *, paid: Callable[[PhaseEnergy], None], wait: Callable[[], None]) -> None:
        self.sources, self.dataset, self.ledger = sources, sources.dataset, sources.ledger
        self._paid, self._wait = paid, wait
        self._found: dict[str, Duplicates] = {}

    def find(self, cell: Cell) -> tuple[Duplicates | None, dict[str, PhaseEnergy]]:
        """Return the duplicates that a cell leaves out, and the cost of the search by phase.

        If the cell does not leave out duplicates, return None and an empty dict.
        """
        found = self._search(cell.composition)
        if found is None:
            return None, {}
        _, cost = read_checked(self._cost_file(cell.composition), CostFile, "the cost of a search")
        return found, {PHASE: cost.energy}

    def check(self, cell: Cell) -> None:
        """Raise InputError if too few images remain for a cell after duplicates are left out."""
        if cell.on_all:
            return
        found = self._search(cell.composition)
        k, most = (
            resolve_keep(cell.chosen_keep, len(self.dataset)),
            len(self.dataset) - len(found.pairs if found else ()),
        )
        if k > most:
            raise InputError(
                f"{cell.label} at keep {cell.chosen_keep}: {counted(k, 'image')} cannot be kept, because only "
                f"{most} of "
                f"{len(self.dataset)} images remain without duplicates. Keep at most {most}."
            )

    def is_searched(self, cell: Cell) -> bool:
        """Return whether the search that a cell needs is done. Return True if the cell needs no search."""
        return not cell.composition.get("drop_duplicates") or is_regular(self._cost_file(cell.composition))

    def _search(self, composition: dict[str, Any]) -> Duplicates | None:
        """Return the duplicates that a cell leaves out, or None if it does not leave out duplicates."""
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
        """Write the cost of a search to the ledger.

        If this search found all signatures in the cache, a cost that the ledger already has is not overwritten.
        """
        file = self._cost_file(composition)
        cached = int(found.provenance.get("from_cache", 0))
        if is_regular(file) and cached >= found.images:
            return
        if cached:
            # add the cost of the signatures that an earlier search computed and stored in the cache
            energy = with_signatures(energy, cached)
        content = {"energy": energy.model_dump(), "from_cache": cached, "images": found.images}
        self.ledger.write_json(file.name, content)

    def _cost_file(self, composition: dict[str, Any]) -> Path:
        """Return the path of the file in the ledger that contains the cost of a search."""
        return self.ledger.path / f"{PHASE}-{self._key(composition)}.json"

    def _key(self, composition: dict[str, Any]) -> str:
        """Return a hash of everything that affects the result of a search."""
        question = [composition.get("drop_duplicates"), composition.get("must_keep")]
        if "initial" in composition:
            question.append(composition["initial"])
        if "exclude" in composition:
            question.append({"exclude": composition["exclude"]})
        if CompositionRequest.of(**composition).by_features:
            question.append(features_identity(self.sources.config.features))
        return content_digest(json.dumps(question, default=str).encode()).hex()[:10]
