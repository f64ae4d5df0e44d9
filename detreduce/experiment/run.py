"""Run the cells of an experiment that are not finished yet."""

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

from detreduce.dataset.health.leaks import refuse_leaks
from detreduce.dataset.health.problem_counts import ProblemCounts
from detreduce.display.listener import Listener, listening, say
from detreduce.display.progress import progress
from detreduce.errors import DetreduceError
from detreduce.experiment.cell_lines import describe_cell, describe_outcome
from detreduce.experiment.cells import Cell
from detreduce.experiment.choices import FIT
from detreduce.experiment.config import ExperimentConfig, load_config
from detreduce.experiment.corrupted_cells import evaluate_later
from detreduce.experiment.costs.few_steps import describe_fewest_steps
from detreduce.experiment.costs.limits import Limits
from detreduce.experiment.data_problems import keep_problems
from detreduce.experiment.ledger.finished_cell import TRAIN_FOLDER, FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.ledger.waiting import WaitForOthers
from detreduce.experiment.overview import Overview, PlannedCells, overview, shard_of
from detreduce.experiment.preflight import check_experiment
from detreduce.experiment.searches.clean_train import drop_leaks
from detreduce.experiment.searches.dropped_leaks import DroppedLeaks, keep_dropped
from detreduce.experiment.searches.leakage import has_leakage, keep_leakage, read_leakage
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
    """Run every cell (training) of an experiment that is not in its ledger yet, and return the ledger.

    Parameters
    ----------
    config
        The path of an experiment YAML, or its validated content.
    output
        The folder of the ledger. The default is ``runs/<name>`` in the working folder. Call the function again with the
        same folder to continue. Several processes may share one ledger.
    say
        A function that is called with one line of text for each step. By default, nothing is printed.
    shard
        ``"i/n"`` runs only the i-th of n parts of the plan. This is for machines that do not share a folder.
    max_hours, max_wh
        Limits on the time and the energy of this call. The cost of the next cell is estimated from finished cells. The
        cell is not started if this cost would exceed a limit. Call the function again to run the remaining cells.

    Raises
    ------
    InputError
        The configuration or the dataset cannot be used. The message lists all errors.
    DetreduceError
        A file cannot be written. Finished cells are kept.
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
    """Check an experiment and plan its cells, as `run_experiment` does, but run no cell.

    The ledger is not created.
    """
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
    """An experiment that has been checked and planned, but not started.

    Attributes
    ----------
    cells
        The cells of this run: the whole plan, or one shard of the plan.
    ledger
        The ledger of the experiment. Its folder may not exist yet.
    dropped
        The images that no training uses, because they are also in val or test. None if there was no search for them.
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
        """The validated configuration. Its dataset is the one in the YAML, even if leaked images are left out of it."""
        return self._experiment.config.model_copy(update={"dataset": self._data})

    @property
    def plan(self) -> list[Cell]:
        """All cells of the experiment, including the cells of other shards."""
        return self._experiment.plan

    @property
    def missing(self) -> list[Cell]:
        """The cells of this run that are not finished."""
        return [cell for cell in self.cells if cell.key not in self.ledger]

    @property
    def problems(self) -> ProblemCounts:
        """The numbers of problems in the data, and of images in the train split that ultralytics leaves out."""
        return self._experiment.problems

    @property
    def leak_warning(self) -> LeakWarning | None:
        """A warning if images of val or test are also in train. Otherwise None. No image is opened.

        Files are compared. The comparison of pixels is used if the ledger already has its result for these images.
        """
        known = has_leakage(self.ledger, self._experiment.identity.data)
        pixels = read_leakage(self.ledger) if known else {}
        return leak_warning(pixels, self._experiment.leaks.to_dict(0), dropped=self.dropped is not None)

    @property
    def pixels_compared(self) -> bool:
        """Whether the pixels of the splits were compared before: with ``reduce.drop_leaked``, or in the ledger."""
        if self.dropped is not None:
            return True
        return has_leakage(self.ledger, self._experiment.identity.data) and "counts" in read_leakage(self.ledger)

    def check_leaks(self) -> None:
        """Raise InputError if images of val or test are also in train, unless `allow_leaks` is set.

        The search does not open any image. If all cells are finished, nothing is checked.
        """
        if self.missing and not self.settings.allow_leaks:
            easier = (
                ""
                if self.dropped is not None
                else "Leave these images out of all trainings (add reduce.drop_leaked=true)"
            )
            refuse_leaks(self._experiment.dataset, self._experiment.leaks, easier)

    @cached_property
    def few_steps(self) -> str:
        """A sentence about the missing cell with the fewest optimiser steps, if they are few and large. Else empty."""
        experiment = self._experiment
        return describe_fewest_steps(self.missing, len(experiment.dataset), experiment.settings_of)

    @cached_property
    def overview(self) -> Overview:
        """The overview of this run: its cells, and the expected cost of the missing ones."""
        done = [cell.key for cell in self.cells if cell.key in self.ledger]
        experiment = self._experiment
        searched = experiment.is_searched(self.missing)
        planned = PlannedCells(experiment.config.name, str(self.ledger.path), self._shard, self.cells, done, searched)
        return overview(planned, experiment.costing())

    def begin(self) -> list[Cell]:
        """Create the ledger, write the plan to it, and return the missing cells.

        If no cell is missing, the ledger may be read-only. Raise InputError in the same cases as `check_leaks`.
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
        """Search for duplicates and leaks. Write the results, the plan and the configuration to the ledger."""
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
        # this search comes first, because it computes the signatures that the other searches need
        keep_near_duplicates(*searched, country=experiment.config.energy.country)
        for cell in missing:
            experiment.redundancy.check(cell)
        keep_leakage(*searched)
        if why := read_leakage(self.ledger).get("skipped"):
            say(
                f"There was no search for images that are in two splits, because {why}. "
                "`detreduce duplicates` searches for them."
            )
        if missing and self.few_steps:
            say(f"Warning: {self.few_steps}")
        if missing and (warning := self.leak_warning) is not None:
            # before the trainings, which may take hours
            say(f"Warning: {warning.line}")
        plan = [cell.to_dict() for cell in experiment.plan]
        self.ledger.write_json("plan.json", plan)
        content = self.settings.model_dump(mode="json")
        self.ledger.write_text("config.yaml", yaml.safe_dump(content, sort_keys=False, allow_unicode=True))

    def run(self, limits: Limits | None = None) -> Ledger:
        """Run the missing cells within the limits. Other processes may run cells of the same ledger at the same
        time.
        """
        limits = limits or Limits()
        missing, number = self.begin(), len(self.cells) - len(self.missing)
        say(self.overview.in_words())
        with progress("cells", len(missing), "cells") as advance:
            return self._run_missing(missing, number, limits, advance)

    def _run_missing(self, missing: list[Cell], number: int, limits: Limits, advance: Callable[..., None]) -> Ledger:
        """Run the cells in `missing` until all of them are finished, or until a limit is reached.

        Wait for cells that other processes run. `number` is the number of cells that were finished before this call.
        `advance` moves the progress bar.
        """
        wait = WaitForOthers()
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
                wait(len(missing))
        return self.ledger

    def run_cell(self, cell: Cell, place: str = "") -> FinishedCell | None:
        """Run one cell, store it in the ledger, and return it.

        Return None if the cell is already finished or if another process is running it. `place` is printed in front of
        the name of the cell, for example ``[3/12]``.
        """
        with self.ledger.claim(cell.key) as work:
            return None if work is None else self.run_claimed(cell, work, place)

    def run_claimed(self, cell: Cell, work: Path, place: str = "") -> FinishedCell:
        """Run a cell that this process has already claimed, store it in the ledger, and return it.

        `work` is the folder of the claim. `place` is the same as in `run_cell`.
        """
        say(f"{place}{describe_cell(cell)}")
        with writing(f"The cell {cell.key}", "This cell is lost, but cells that were finished before are kept."):
            finished = self._experiment.run_alone(cell, work)
            self.ledger.finish(work, finished)
        self._experiment.finished.append(finished)
        say(f"      {describe_outcome(finished)}")
        return finished

    def _reason_to_stop(self, cell: Cell, limits: Limits) -> str | None:
        """Return the limit that does not allow a cell to start, as text. Return None if the cell may start."""
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
    """Runs the cells of one experiment, using the parts that the cells share."""

    def run_alone(self, cell: Cell, work: Path) -> FinishedCell:
        """Run a cell. Record the machine, the time, and whether another training ran at the same time."""
        if (former := evaluate_later(self, cell, work)) is not None:
            return former
        # choose before `present()`, so that waiting for another process's selection does not count as overlapping
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
        """Train a cell in the folder `work`, on the selection in `chosen`. If `chosen` is None, train on all images."""
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
        """Return (selection for a cell, phase of choosing -> cost, further values for ``cell.json``)."""
        reduction = self._reduction(cell)
        source, choosing, facts = self.sources.choose_from(cell)
        duplicates, cost = self.redundancy.find(cell)
        selection, energy = self.choices.choose(cell, reduction, source, duplicates)
        choosing |= {**cost, "selection": energy}
        facts |= {"fitted_at": selection.provenance[FIT]["keep"], "deterministic": reduction.reducer.deterministic}
        return selection, choosing, facts

    def settings_of(self, cell: Cell, chosen: int) -> RecipeSettings:
        """Return the training arguments and the images per epoch for a cell that trains on `chosen` images."""
        images = len(self.dataset)
        if (recipe := cell.parsed_recipe) is not None:
            return recipe_settings(recipe, self.arguments, images=images, chosen=chosen)
        return RecipeSettings(
            self.arguments, images_of(cell.keep, images) if cell.control == EQUAL_ITERATIONS else None
        )

    def _train(self, data: str | Path, cell: Cell, work: Path, chosen: int) -> TrainingRecord:
        """Train a detector on a dataset with the settings of a cell, and return the record of the training.

        `chosen` is the number of images in the dataset.
        """
        recipe, settings = cell.parsed_recipe, self.settings_of(cell, chosen)
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
            recipe=PreparedRecipe(recipe, settings, data),
            allow_leaks=True,  # `check_leaks` has already checked the dataset
            **settings.arguments,
        )
        # remove the images, so that the ledger does not grow with the dataset
        shutil.rmtree(work / TRAIN_FOLDER / VIEW_FOLDER, ignore_errors=True)
        return record
