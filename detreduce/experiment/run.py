"""Run the missing cells of an experiment. Finished cells are not repeated."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from detreduce.dataset.leaks import refuse_leaks
from detreduce.dataset.problem_counts import ProblemCounts
from detreduce.display.listener import Listener, listening, say
from detreduce.display.progress import progress
from detreduce.errors import DetreduceError
from detreduce.experiment.cell_lines import describe_cell, describe_outcome
from detreduce.experiment.cells import Cell
from detreduce.experiment.choices import FIT
from detreduce.experiment.config import ExperimentConfig, load_config
from detreduce.experiment.corrupted_cells import evaluate_later
from detreduce.experiment.costs.limits import Limits
from detreduce.experiment.data_problems import keep_problems
from detreduce.experiment.ledger.finished_cell import TRAIN_FOLDER, FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.overview import Overview, PlannedCells, overview, shard_of
from detreduce.experiment.preflight import check_experiment
from detreduce.experiment.searches.clean_train import drop_leaks
from detreduce.experiment.searches.dropped_leaks import DroppedLeaks, keep_dropped
from detreduce.experiment.searches.leakage import keep_leakage, read_leakage
from detreduce.experiment.searches.leaks import LeakWarning, keep_leaks, leak_warning
from detreduce.experiment.searches.near_duplicates import keep_near_duplicates
from detreduce.experiment.searches.remaining import with_counts
from detreduce.experiment.shared_parts import SharedParts
from detreduce.machine.files import writing
from detreduce.machine.hashes import json_hash
from detreduce.reduction.request import Output, ReductionRequest
from detreduce.reduction.steps import Reduction
from detreduce.selection.record import Selection
from detreduce.training.concurrent_runs import boot_identity, present
from detreduce.training.energy import PhaseEnergy
from detreduce.training.harness import train
from detreduce.training.recipes.prepare import PreparedRecipe
from detreduce.training.recipes.recipe import images_of
from detreduce.training.recipes.settings import RecipeSettings, recipe_settings
from detreduce.training.record import TrainingRecord
from detreduce.training.run.folder import VIEW_FOLDER
from detreduce.vocabulary.controls import EQUAL_ITERATIONS

POLL_SECONDS = 5.0

_Chosen = tuple[Selection, dict[str, PhaseEnergy], dict[str, Any]]


def run_experiment(
    config: ExperimentConfig | str | Path,
    output: str | Path | None = None,
    *,
    say: Listener | None = None,
    shard: str | None = None,
    max_hours: float | None = None,
    max_wh: float | None = None,
) -> Ledger:
    """Run every cell of an experiment that is not in its ledger yet, and return the ledger.

    Parameters
    ----------
    config
        An experiment YAML or its validated content.
    output
        The folder of the ledger; default ``runs/<name>`` in the working folder. Call the function again with the same
        folder to continue. Several processes may share one ledger.
    say
        Called with one line of text for each step. By default nothing is printed.
    shard
        ``"i/n"``: run only the i-th of n parts of the plan, for machines without a common folder.
    max_hours, max_wh
        Limits on the time and the energy of this call. A cell does not start if the run would then exceed a limit. The
        expected cost of the cell comes from finished cells. Call the function again to run the remaining cells.

    Raises
    ------
    InputError
        The configuration or the dataset cannot be used; the message lists all errors at once.
    DetreduceError
        Something cannot be written; finished cells are kept.
    """
    limits = Limits(max_hours, max_wh)
    with listening(say):
        return prepare_experiment(config, output, shard=shard).run(limits)


def prepare_experiment(
    config: ExperimentConfig | str | Path,
    output: str | Path | None = None,
    *,
    shard: str | None = None,
) -> PreparedExperiment:
    """Check an experiment and plan its cells, like `run_experiment`, but do not create the ledger or run a cell."""
    settings = config if isinstance(config, ExperimentConfig) else load_config(config)
    shard_of([], shard)
    ledger = Ledger(output or Path("runs") / settings.name)
    experiment = _Experiment(settings, ledger)
    check_experiment(settings, experiment.dataset, experiment.evaluate_on)
    clean, dataset, dropped = drop_leaks(settings, experiment.dataset)
    if clean is not settings:
        experiment = _Experiment(clean, ledger)
        experiment.dataset = dataset
        check_experiment(clean, experiment.dataset, experiment.evaluate_on)
    experiment.config = with_counts(clean, experiment.dataset)
    return PreparedExperiment(experiment, shard, settings.dataset, dropped)


class PreparedExperiment:
    """An experiment that is checked and planned, but not started.

    Attributes
    ----------
    cells
        The cells to run: the whole plan, or one shard of the plan.
    ledger
        The ledger of the experiment. Its folder may not exist yet.
    dropped
        The images that no training uses, because they are also in val or test; None if there was no search for them.
    """

    def __init__(
        self, experiment: _Experiment, shard: str | None, data: str, dropped: DroppedLeaks | None = None
    ) -> None:
        self._data, self.dropped = data, dropped
        self._experiment, self._shard = experiment, shard
        self.ledger = experiment.ledger
        self.cells = shard_of(experiment.plan, shard)

    @property
    def settings(self) -> ExperimentConfig:
        """The validated configuration, with the dataset that it names."""
        return self._experiment.config.model_copy(update={"dataset": self._data})

    @property
    def plan(self) -> list[Cell]:
        """All cells of the experiment, including the cells of other shards."""
        return self._experiment.plan

    @property
    def missing(self) -> list[Cell]:
        """The cells to run that are not finished."""
        return [cell for cell in self.cells if cell.key not in self.ledger]

    @property
    def problems(self) -> ProblemCounts:
        """How many problems the data has, and how many images of the train split ultralytics leaves out."""
        return self._experiment.problems

    @property
    def leak_warning(self) -> LeakWarning | None:
        """The warning that images of val or test are also in train, by a search that opens no image."""
        return leak_warning({}, self._experiment.leaks.to_dict(0), dropped=self.dropped is not None)

    def check_leaks(self) -> None:
        """Raise InputError if images of val or test are also in train, and `allow_leaks` is not set.

        No image is opened. If all cells are finished, there is nothing to stop.
        """
        if self.missing and not self.settings.allow_leaks:
            easier = (
                ""
                if self.dropped is not None
                else "Leave these images out of all trainings (add reduce.drop_leaked=true)"
            )
            refuse_leaks(self._experiment.dataset, self._experiment.leaks, easier)

    @cached_property
    def overview(self) -> Overview:
        """The overview of the run: its cells, and the expected cost of the missing cells."""
        done = [cell.key for cell in self.cells if cell.key in self.ledger]
        experiment = self._experiment
        searched = experiment.is_searched(self.missing)
        planned = PlannedCells(experiment.config.name, str(self.ledger.path), self._shard, self.cells, done, searched)
        return overview(planned, experiment.costing())

    def begin(self) -> list[Cell]:
        """Create the ledger, write the plan into the ledger, and return the missing cells.

        If no cell is missing, the ledger may be read-only. Raise InputError as `check_leaks` does.
        """
        self.check_leaks()
        missing = self.missing
        try:
            self._write_down(missing)
        except DetreduceError as error:
            if missing or not isinstance(error.__cause__, OSError):
                raise
            say(f"{error} All cells are finished, so nothing needs to be written.")
        return missing

    def _write_down(self, missing: list[Cell]) -> None:
        """Search for duplicates and leakage, and write the results, the plan and the configuration into the ledger."""
        experiment = self._experiment
        Ledger.create(self.ledger.path)
        keep_problems(self.ledger, self.problems)
        if self.problems.line:
            say(self.problems.line)
        if self.dropped is not None:
            say(self.dropped.line)
        keep_dropped(self.ledger, self.dropped)
        keep_leaks(self.ledger, experiment.leaks, experiment.identity.data)
        searched = experiment.dataset, self.ledger, experiment.identity.data, experiment.wait_for_search
        # this search comes first, because it makes the signatures that the other searches use
        keep_near_duplicates(*searched, country=experiment.config.energy.country)
        for cell in missing:
            experiment.redundancy.check(cell)
        keep_leakage(*searched)
        if why := read_leakage(self.ledger).get("skipped"):
            say(
                f"There was no search for images that are in two splits, because {why}. "
                "`detreduce duplicates` searches for them."
            )
        say(self.overview.in_words())
        plan = [cell.to_dict() for cell in experiment.plan]
        self.ledger.write_json("plan.json", plan)
        content = self.settings.model_dump(mode="json")
        self.ledger.write_text("config.yaml", yaml.safe_dump(content, sort_keys=False, allow_unicode=True))

    def run(self, limits: Limits | None = None) -> Ledger:
        """Run the missing cells within the limits. Other processes may run cells of this ledger at the same time."""
        limits = limits or Limits()
        missing, number = self.begin(), len(self.cells) - len(self.missing)
        with progress("cells", len(missing), "cells") as advance:
            return self._run_missing(missing, number, limits, advance)

    def _run_missing(self, missing: list[Cell], number: int, limits: Limits, advance: Callable[..., None]) -> Ledger:
        """Run cells until this process or another process has finished all of them.

        `number` is the number of cells that were finished before this call. `advance` moves the progress bar.
        """
        while missing:
            elsewhere = []
            for cell in missing:
                if cell.key in self.ledger:
                    advance()
                    continue
                if reason := self._reason_to_stop(cell, limits):
                    self._say_left(reason)
                    return self.ledger
                finished = self.run_cell(cell, f"[{number + 1}/{len(self.cells)}] ")
                number += finished is not None
                advance(int(cell.key in self.ledger))
                elsewhere += [cell] if finished is None and cell.key not in self.ledger else []
            missing = [cell for cell in elsewhere if cell.key not in self.ledger]
            if missing and len(elsewhere) == len(missing):
                say(f"Waiting for {len(missing)} cells that another process is running.")
                time.sleep(POLL_SECONDS)
        return self.ledger

    def run_cell(self, cell: Cell, place: str = "") -> FinishedCell | None:
        """Run one cell, store the finished cell in the ledger, and return the finished cell.

        Return None if the cell is finished already or if another process is running the cell.

        `place` is printed in front of the name of the cell, such as ``[3/12]``.
        """
        with self.ledger.claim(cell.key) as work:
            if work is None:
                return None
            say(f"{place}{describe_cell(cell)}")
            with writing(f"The cell {cell.key}", "This cell is lost, but cells that were finished before are kept."):
                finished = self._experiment.run_alone(cell, work)
                self.ledger.finish(work, finished)
            self._experiment.finished.append(finished)
        say(f"      {describe_outcome(finished)}")
        return finished

    def _reason_to_stop(self, cell: Cell, limits: Limits) -> str | None:
        """Return the reason not to start a cell, or None."""
        if limits == Limits():
            return None
        experiment = self._experiment
        return limits.reason_to_stop(experiment.spent, experiment.costing().of(cell))

    def _say_left(self, reason: str) -> None:
        """Print why the run stops, and how many cells are not finished."""
        del self.overview
        left = self.overview
        say(f"Stopped by {reason}.")
        say(f"{left.to_run} of {left.cells} cells are not finished. Run the same command again to continue.")
        say(left.cost_in_words())


class _Experiment(SharedParts):
    """Runs the cells of one experiment, with the parts that they share."""

    def run_alone(self, cell: Cell, work: Path) -> FinishedCell:
        """Run a cell. Record the machine, the time, and whether another training ran at the same time."""
        if (former := evaluate_later(self, cell, work)) is not None:
            return former
        # choose first, because this training does not yet count as overlapped while it waits for another process
        chosen = None if cell.on_all else self._choose(cell)
        with present() as here:
            began, start = datetime.now(UTC), time.perf_counter()
            finished = self._train_cell(cell, work, chosen)
            seconds = time.perf_counter() - start
            ran = {
                "machine": boot_identity(),
                "host": socket.gethostname(),
                "started": began.isoformat(timespec="milliseconds"),
                "ended": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "training_seconds": round(seconds, 3),
                "overlapped": here.overlapped,
            }
        for phase in finished.training.energy.values():
            self.spent.add(phase)
        return replace(finished, ran=ran)

    def _train_cell(self, cell: Cell, work: Path, chosen: _Chosen | None) -> FinishedCell:
        """Train a cell in the folder `work`. Train on the selection `chosen`, or on all images if `chosen` is None."""
        if chosen is None:
            record = self._train(self.config.dataset, cell, work, len(self.dataset))
            return FinishedCell(cell.key, {**cell.to_dict(), "label": cell.label}, record)
        selection, choosing, cached = chosen
        selection.save(work / "selection.json")
        reduced = self._reduction(cell, Output(work / "reduced", link="symlink")).write(selection)
        record = self._train(reduced.source.path, cell, work, len(selection))
        shutil.rmtree(work / "reduced")  # the subset can be written again from selection.json
        summary = {
            "images": len(selection),
            "of": len(self.dataset),
            "hash": json_hash(list(selection.image_ids)),
            "set_hash": json_hash(sorted(selection.image_ids, key=str)),
            "categories": dict(selection.categories),
            **cached,
        }
        return FinishedCell(cell.key, {**cell.to_dict(), "label": cell.label}, record, choosing, summary)

    def _reduction(self, cell: Cell, output: Output | None = None) -> Reduction:
        """Return the `Reduction` that chooses the images of a cell and writes the subset to `output`."""
        selection, features = cell.request(self.config.reduce.categories), self.config.features.extraction()
        return Reduction(ReductionRequest(self.dataset, output, selection, features), self.dataset)

    def _choose(self, cell: Cell) -> _Chosen:
        """Return the selection of a cell, the cost of choosing by phase, and facts for ``cell.json``."""
        reduction = self._reduction(cell)
        source, choosing, facts = self.sources.choose_from(cell)
        duplicates, cost = self.redundancy.find(cell)
        selection, energy = self.choices.choose(cell, reduction, source, duplicates)
        choosing |= {**cost, "selection": energy}
        facts |= {"fitted_at": selection.provenance[FIT]["keep"], "deterministic": reduction.reducer.deterministic}
        return selection, choosing, facts

    def _settings(self, cell: Cell, chosen: int) -> RecipeSettings:
        """Return the arguments and the images per epoch of a cell that trains on `chosen` images."""
        images = len(self.dataset)
        if (recipe := cell.parsed_recipe) is not None:
            return recipe_settings(recipe, self.arguments, images=images, chosen=chosen)
        return RecipeSettings(
            self.arguments, images_of(cell.keep, images) if cell.control == EQUAL_ITERATIONS else None
        )

    def _train(self, data: str | Path, cell: Cell, work: Path, chosen: int) -> TrainingRecord:
        """Train a detector on a dataset with the settings of a cell; return the record of the training.

        `chosen` is the number of images of the dataset.
        """
        recipe, settings = cell.parsed_recipe, self._settings(cell, chosen)
        record = train(
            data,
            model=self.config.train.model,
            output=work / TRAIN_FOLDER,
            seed=cell.training_seed,
            choose=self.config.evaluate.choose,
            evaluate_on=self.evaluate_on,
            corruptions=self.config.evaluate.corruptions,
            country=self.config.energy.country,
            images_per_epoch=settings.images_per_epoch,
            recipe=None if recipe is None else PreparedRecipe(recipe, settings, data),
            allow_leaks=True,  # `check_leaks` has already checked the dataset
            **settings.arguments,
        )
        # remove the images, because a ledger must not grow with the dataset
        shutil.rmtree(work / TRAIN_FOLDER / VIEW_FOLDER, ignore_errors=True)
        return record
