"""Duplicates of an experiment's dataset, searched once, with what the search cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detreduce.dataset.records import DetectionDataset
from detreduce.duplicates.result import Duplicates
from detreduce.errors import InputError
from detreduce.experiment.cells import Cell
from detreduce.experiment.costs.signature_cost import with_signatures
from detreduce.experiment.ledger.ledger import SEARCH, Ledger
from detreduce.machine.hashes import content_digest
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.selection.choose import bare_table
from detreduce.selection.duplicate_search import find_duplicates
from detreduce.selection.named_images import image_rows
from detreduce.selection.request import CompositionRequest, DuplicateSearch
from detreduce.training.concurrent_runs import overlapped, present
from detreduce.training.energy import EnergyMeter, PhaseEnergy

PHASE = "duplicates"


class Redundancy:
    """Finds what a cell's `drop_duplicates` asks for; cells that ask for the same share the search and its cost.

    `paid` is called with what each search took, `wait` before waiting for another process's.
    """

    def __init__(
        self,
        dataset: DetectionDataset,
        ledger: Ledger,
        country: str,
        *,
        paid: Callable[[PhaseEnergy], None],
        wait: Callable[[], None],
    ) -> None:
        self.dataset, self.ledger, self.country = dataset, ledger, country
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
        k, left = resolve_keep(cell.keep, len(self.dataset)), len(self.dataset) - len(found.pairs if found else ())
        if k > left:
            raise InputError(
                f"{cell.label} at keep {cell.keep}: {k} images are to be kept, but {left} of {len(self.dataset)} are "
                f"left without duplicates: keep at most {left}."
            )

    def is_searched(self, cell: Cell) -> bool:
        """Whether the ledger knows what the cell's search costs; true where the cell asks for none."""
        return not cell.composition.get("drop_duplicates") or self._cost_file(cell.composition).is_file()

    def _search(self, composition: dict[str, Any]) -> Duplicates | None:
        request = CompositionRequest.of(**composition)
        search = request.drop_duplicates
        if not isinstance(search, DuplicateSearch):
            return None
        key = self._key(composition)
        if key not in self._found:
            table = bare_table(self.dataset)
            named = image_rows(table, [*request.must_keep, *request.initial])
            prefer = [self.dataset[row].id for row in named.tolist()]
            with self.ledger.exclusive(SEARCH, self._wait), present():
                with EnergyMeter(self.country).measure(PHASE) as energy:
                    found = find_duplicates(table, search, prefer)
                energy.overlapped = overlapped()
                self._keep_cost(composition, found, energy)
            self._paid(energy)
            self._found[key] = found
        return self._found[key]

    def _keep_cost(self, composition: dict[str, Any], found: Duplicates, energy: PhaseEnergy) -> None:
        """Keep what the first search cost."""
        file = self._cost_file(composition)
        cached = int(found.provenance.get("from_cache", 0))
        if file.is_file() and cached >= found.images:
            return
        if cached:
            # what reading and comparing took is not what finding them takes
            energy = with_signatures(energy, cached)
        content = {"energy": energy.model_dump(), "from_cache": cached, "images": found.images}
        self.ledger.write_json(file.name, content)

    def _cost_file(self, composition: dict[str, Any]) -> Path:
        return self.ledger.path / f"{PHASE}-{self._key(composition)}.json"

    def _key(self, composition: dict[str, Any]) -> str:
        wish = [composition.get("drop_duplicates"), composition.get("must_keep")]
        if "initial" in composition:
            wish.append(composition["initial"])
        return content_digest(json.dumps(wish, default=str).encode()).hex()[:10]
