"""The parts that the cells of one run share: the dataset, the features, the searches and the fits."""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import Any

from detreduce.dataset import load_dataset
from detreduce.dataset.health.counts import load_all_splits
from detreduce.dataset.health.leaks import Leaks, find_leaks
from detreduce.dataset.health.problem_counts import ProblemCounts, count_problems
from detreduce.dataset.records import DetectionDataset
from detreduce.display.listener import say
from detreduce.errors import InputError
from detreduce.experiment.cells import Cell, Identity, make_plan, training_arguments, uses_features
from detreduce.experiment.choices import Choices
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.costs.forecast import Estimate, Forecast
from detreduce.experiment.costs.limits import Spent
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.ledger.identity import data_identity, features_identity, file_identity
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.overview import Costing
from detreduce.experiment.searches.leakage import has_leakage
from detreduce.experiment.searches.near_duplicates import has_near_duplicates
from detreduce.experiment.searches.redundancy import DuplicateSearches
from detreduce.experiment.sources import Sources, proxy_identity
from detreduce.training.run.folder import EvaluateOn
from detreduce.vocabulary.corruptions import SEVERITIES


class SharedParts:
    """The dataset, features, searches and fits that the cells of one run share. Each is created when it is first
    used.
    """

    def __init__(self, config: ExperimentConfig, ledger: Ledger) -> None:
        self.config = config
        self.ledger = ledger
        self.spent = Spent()

    @cached_property
    def finished(self) -> list[FinishedCell]:
        """The finished cells in the ledger, for estimates of cost. Cells that cannot be read are left out."""
        found = []
        for key in self.ledger.cell_keys():
            with contextlib.suppress(InputError):
                found.append(self.ledger[key])
        return found

    def costing(self) -> Costing:
        """Return a `Costing` that estimates the cost of cells from the cells that are finished at this moment."""
        forecast = Forecast.of(self.finished, self.config, len(self.dataset))
        return Costing(forecast, self.choices, self.sources, self._evaluation_cost)

    def _evaluation_cost(self, cell: Cell) -> Estimate | None:
        """Return the expected cost of evaluating a finished training on corrupted images.

        Each corruption at each severity is assumed to take as long as the evaluation on clean images. Return None if
        the cell also needs a training.
        """
        former = next((one for one in self.finished if one.key == self.without_corruptions.get(cell.key)), None)
        clean = None if former is None else former.training.energy.get("evaluation")
        if clean is None:
            return None
        times = len(self.config.evaluate.corruptions) * len(SEVERITIES)
        return Estimate(clean.seconds * times, None if clean.wh is None else clean.wh * times)

    @cached_property
    def dataset(self) -> DetectionDataset:
        """The train split."""
        return load_dataset(self.config.dataset, split="train")

    @cached_property
    def problems(self) -> ProblemCounts:
        """The numbers of problems in the data, and of images in the train split that ultralytics leaves out."""
        return count_problems(self.dataset)

    @cached_property
    def leaks(self) -> Leaks:
        """The images that are in more than one split. The search for them does not open any image."""
        return find_leaks(load_all_splits(self.dataset)[0])

    @cached_property
    def evaluate_on(self) -> EvaluateOn:
        """The splits to evaluate on.

        If the YAML does not set them, the default is val and test together. If val is used to choose the epoch, the
        default is test alone.
        """
        both = {"val", "test"} <= set(self.dataset.source.splits) and self.config.evaluate.choose == "last"
        return self.config.evaluate.on or ("val+test" if both else "auto")

    @cached_property
    def redundancy(self) -> DuplicateSearches:
        """The searches for the near-duplicates that cells leave out."""
        return DuplicateSearches(self.sources, paid=self.spent.add, wait=self.wait_for_search)

    def wait_for_search(self) -> None:
        """Print that this process waits for a search in another process."""
        say("Waiting for another process's search for duplicates.")

    def is_searched(self, missing: list[Cell]) -> bool:
        """Return whether the ledger already has the result of every search for duplicates that the missing cells
        need.
        """
        kept = (has(self.ledger, self.identity.data) for has in (has_leakage, has_near_duplicates))
        return all(kept) and all(self.redundancy.is_searched(cell) for cell in missing)

    @cached_property
    def identity(self) -> Identity:
        """The hashes of the data, the model, the features and the proxy."""
        config = self.config
        used = any(uses_features(one.name, one.composition(config.reduce)) for one in config.choosers)
        data, model = data_identity(self.dataset), file_identity(config.train.model)
        proxy = file_identity(config.proxy.model) if config.proxy and config.proxy.model else model
        return Identity(
            data=data,
            model=model,
            features=features_identity(config.features) if used or config.features.detector else "",
            proxy=proxy_identity(config, data, proxy),
        )

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """The ultralytics arguments that all cells share."""
        return training_arguments(self.config, images=len(self.dataset), classes=len(self.dataset.class_names))

    @cached_property
    def plan(self) -> list[Cell]:
        """All cells of the experiment, including the cells of other shards."""
        return make_plan(self.config, self.identity, self.arguments)

    @cached_property
    def without_corruptions(self) -> dict[str, str]:
        """Key of each cell -> key that the cell would have if the experiment had no corrupted images.

        Empty if the experiment has no corrupted images.
        """
        if not self.config.evaluate.corruptions:
            return {}
        evaluate = self.config.evaluate.model_copy(update={"corruptions": []})
        plain = make_plan(self.config.model_copy(update={"evaluate": evaluate}), self.identity, self.arguments)
        return {cell.key: former.key for cell, former in zip(self.plan, plain, strict=True)}

    @cached_property
    def sources(self) -> Sources:
        """The feature tables that methods choose from."""
        return Sources(self.config, self.ledger, self.dataset, self.identity.proxy, self.spent.add)

    @cached_property
    def choices(self) -> Choices:
        """The selections for the cells."""

        def wait() -> None:
            """Print that this process waits."""
            say("Waiting for another process's selection.")

        return Choices(self.config, self.ledger, self.plan, self.identity, paid=self.spent.add, wait=wait)
