"""The selections of an experiment.

Several cells can share one fit of a method. The ledger stores each fit and its cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from detreduce.duplicates.result import Duplicates
from detreduce.errors import InputError
from detreduce.experiment.cells import Cell, Identity, uses_features
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.ledger.ledger import SELECTIONS, Ledger
from detreduce.features.table import PROXY_BLOCKS
from detreduce.machine.hashes import json_hash
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.reducers import reducer_class
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.reduction.steps import Reduction, Source
from detreduce.selection.record import Selection
from detreduce.training.concurrent_runs import overlapped, present
from detreduce.training.energy import EnergyMeter, PhaseEnergy
from detreduce.vocabulary.controls import RANDOM_METHODS

FIT = "fit"
"""Key of the fit in the provenance of a selection. Its value has the keeps that share the fit, and the cost of the
fit.
"""


class Choices:
    """Choose the images for the cells of a plan.

    All training seeds share one fit of a method. A nested method is fitted once, at the largest `keep` of the plan,
    because its smaller selections are prefixes of its larger ones. Each cell is charged the whole cost of its fit and
    of its features, as if no other cell shared them.

    Parameters
    ----------
    config, ledger
        As in `run_experiment`.
    plan
        All cells of the experiment, including the cells of other shards.
    identity
        Hashes of the data, the features and the proxy.
    paid
        Called with the cost of each fit.
    wait
        Called without arguments before this process waits for another process that runs the same fit.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        ledger: Ledger,
        plan: Sequence[Cell],
        identity: Identity,
        *,
        paid: Callable[[PhaseEnergy], None],
        wait: Callable[[], None],
    ) -> None:
        self.config, self.ledger, self.identity = config, ledger, identity
        self._paid, self._wait = paid, wait
        self._keeps: dict[str, list[float | int]] = {}
        for cell in plan:
            if not cell.on_all:
                keeps = self._keeps.setdefault(self.fit_of(cell), [])
                if all(repr(keep) != repr(cell.chosen_keep) for keep in keeps):
                    keeps.append(cell.chosen_keep)

    def fit_of(self, cell: Cell) -> str:
        """Return the name of the fit from which a cell gets its images. Cells with the same name share one fit."""
        cls = reducer_class(cell.chooser)
        identity = [self.identity.data]
        predicted = self.config.features.detector is not None and cell.control not in RANDOM_METHODS
        if uses_features(cell.chooser, cell.composition) or predicted:
            identity.append(self.identity.features)
        if any(name in cls.needs for name in PROXY_BLOCKS):
            identity.append(self.identity.proxy)
        rule = cell.request(self.config.reduce.categories).categories
        question = [
            cell.method, cell.parameters, cell.composition, rule, cell.selection_seed,
            None if cls.nested and "partitions" not in cell.composition else repr(cell.chosen_keep),
        ]  # fmt: skip
        return f"{cell.method}-{json_hash([question, identity])[:10]}"

    def is_fitted(self, cell: Cell) -> bool:
        """Return whether the fit for this cell is stored in the ledger."""
        return is_regular(self._file(self.fit_of(cell)))

    def choose(
        self, cell: Cell, reduction: Reduction, source: Source, duplicates: Duplicates | None
    ) -> tuple[Selection, PhaseEnergy]:
        """Return the selection for a cell, and the cost of the fit that it comes from.

        `reduction` has the settings of the cell, and `source` is the dataset or the feature table to choose from. The
        images in `duplicates` are left out before the method chooses.
        """
        name = self.fit_of(cell)
        with self.ledger.exclusive(f"selection-{name}", self._wait):
            file = self._file(name)
            found = Selection.load(file) if is_regular(file) else None
            if found is None or len(found) < resolve_keep(cell.chosen_keep, len(source)):
                largest = self._largest(name, cell, len(source))
                found = self._fit(cell, reduction.at_keep(largest), source, duplicates)
                found.save(file)
        if repr(found.keep) != repr(cell.chosen_keep):
            found = found.prefix(cell.chosen_keep)
        return found, PhaseEnergy.model_validate(found.provenance[FIT]["energy"])

    def _fit(self, cell: Cell, reduction: Reduction, source: Source, duplicates: Duplicates | None) -> Selection:
        """Fit the method. Return its selection, whose provenance includes the cost of the fit."""
        with present():
            with EnergyMeter(self.config.energy.country).measure("selection") as energy:
                selection = reduction.choose(source, duplicates)
            energy.overlapped = overlapped()
        self._paid(energy)
        fit = {
            "keep": selection.keep,
            "serves": self._keeps.get(self.fit_of(cell), [cell.chosen_keep]),
            "energy": energy.model_dump(),
        }
        return replace(selection, provenance={**selection.provenance, FIT: fit})

    def _largest(self, name: str, cell: Cell, images: int) -> float | int:
        """Return the largest `keep` of the cells that share a fit.

        `images` is the number of images in the dataset. A `keep` that is a larger number is ignored.
        """

        def size(keep: float | int) -> float:
            """Return the number of images of a keep, or minus infinity if the keep is not valid."""
            try:
                return resolve_keep(keep, images)
            except InputError:
                return -math.inf

        return max([cell.chosen_keep, *self._keeps.get(name, ())], key=size)

    def _file(self, name: str) -> Path:
        """Return the path of the file in the ledger that contains the selection of a fit."""
        return self.ledger.path / SELECTIONS / f"{name}.json"
