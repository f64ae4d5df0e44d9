"""Run the missing cells of an experiment; what is finished is never repeated."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from detreduce.config import EQUAL_ITERATIONS, ExperimentConfig, load_config
from detreduce.dataset import load_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.write import write_subset
from detreduce.experiment.identity import data_identity, features_identity, file_identity
from detreduce.experiment.leakage import keep_leakage
from detreduce.experiment.ledger import TRAIN_FOLDER, FinishedCell, Ledger
from detreduce.experiment.plan import Cell, Identity, make_plan, training_arguments
from detreduce.experiment.preflight import check_experiment
from detreduce.experiment.redundancy import Redundancy
from detreduce.experiment.sources import Say, Sources, proxy_identity
from detreduce.features.blocks import FEATURES, kinds_of
from detreduce.reducers import make_reducer
from detreduce.reducers.budget import resolve_keep
from detreduce.selection import Selection, select
from detreduce.training.energy import EnergyMeter, PhaseEnergy
from detreduce.training.harness import train
from detreduce.training.record import TrainingRecord
from detreduce.training.run_folder import VIEW_FOLDER, EvaluateOn

POLL_SECONDS = 5.0


def run_experiment(
    config: ExperimentConfig | str | Path, output: str | Path | None = None, *, say: Say | None = None
) -> Ledger:
    """Run every cell of an experiment that is not in its ledger yet, and return the ledger.

    Parameters
    ----------
    config
        An experiment YAML or its validated content.
    output
        The ledger's folder; default ``runs/<name>`` in the working folder. The same again resumes; several processes
        may share one ledger.
    say
        Called with one line of text for each step; silent by default.

    Raises
    ------
    InputError
        The configuration or the dataset cannot be used; all errors of the YAML at once.
    """
    settings = config if isinstance(config, ExperimentConfig) else load_config(config)
    say = say or (lambda line: None)
    ledger = Ledger.create(output or Path("runs") / settings.name)
    experiment = _Experiment(settings, ledger, say)
    check_experiment(settings, experiment.dataset, experiment.evaluate_on)
    plan = experiment.plan
    missing = [cell for cell in plan if cell.key not in ledger]
    for cell in missing:
        experiment.redundancy.check(cell)
    keep_leakage(experiment.dataset, ledger, experiment.identity.data)
    say(f"{len(plan)} cells: {len(plan) - len(missing)} finished before, {len(missing)} to run. Ledger: {ledger.path}")
    ledger.write_text("plan.json", json.dumps([cell.to_dict() for cell in plan], indent=1) + "\n")
    content = settings.model_dump(mode="json")
    ledger.write_text("config.yaml", yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    number = len(plan) - len(missing)
    while missing:
        elsewhere = []
        for cell in missing:
            with ledger.claim(cell.key) as work:
                if work is None:
                    elsewhere += [cell] if cell.key not in ledger else []
                    continue
                number += 1
                say(f"[{number}/{len(plan)}] {describe_cell(cell)}")
                finished = experiment.run_cell(cell, work)
                ledger.finish(work, finished)
                say(f"      {describe_outcome(finished)}")
        if len(elsewhere) == len(missing):
            say(f"Waiting for {len(elsewhere)} cells that another process runs.")
            time.sleep(POLL_SECONDS)
        missing = [cell for cell in elsewhere if cell.key not in ledger]
    return ledger


def finished_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """Tidy rows of the cells of the ledger's latest plan that are finished; earlier plans' cells are left out."""
    plan = ledger.path / "plan.json"
    keys = [cell["key"] for cell in json.loads(plan.read_text(encoding="utf-8"))] if plan.is_file() else None
    return [row for row in ledger.rows() if keys is None or row["key"] in keys]


def describe_cell(cell: Cell) -> str:
    """A cell in a few words."""
    if cell.control == "full":
        return f"{cell.label}, training seed {cell.training_seed}"
    if cell.control == EQUAL_ITERATIONS:
        return f"{cell.label} to keep {cell.keep}, training seed {cell.training_seed}"
    seeds = f"selection seed {cell.selection_seed}, training seed {cell.training_seed}"
    return f"{cell.label}, keep {cell.keep}, {seeds}"


def describe_outcome(finished: FinishedCell) -> str:
    """What a finished cell reached and cost, in one line."""
    row = finished.row()
    parts = [f"{row['images']} images"]
    for name, label in (("mAP50", "mAP50"), ("mAP50_95", "mAP50-95")):
        parts.append(f"{label} not known" if row[name] is None else f"{label} {row[name]:.3f}")
    parts.append("energy not known" if row["Wh"] is None else f"{row['Wh']:.2f} Wh, {row['g_co2']:.2f} g CO2")
    return ", ".join([*parts, f"{row['minutes']:.1f} min"])


class _Experiment:
    """What the cells of one run share: the dataset and what is chosen from, made when first needed."""

    def __init__(self, config: ExperimentConfig, ledger: Ledger, say: Say) -> None:
        self.config = config
        self.ledger = ledger
        self.say = say

    @cached_property
    def dataset(self) -> DetectionDataset:
        return load_dataset(self.config.dataset, split="train")

    @cached_property
    def evaluate_on(self) -> EvaluateOn:
        """What the YAML says, else val and test together, or the one that is there."""
        both = {"val", "test"} <= set(self.dataset.source.splits)
        return self.config.evaluate.on or ("val+test" if both else "auto")

    @cached_property
    def redundancy(self) -> Redundancy:
        return Redundancy(self.dataset, self.ledger, self.config.energy.country)

    @cached_property
    def identity(self) -> Identity:
        config = self.config
        reducers = [make_reducer(method.name, **method.parameters) for method in config.reduce.methods]
        kinds = {kind for reducer in reducers for kind in kinds_of(reducer.needs)}
        data, model = data_identity(self.dataset), file_identity(config.train.model)
        proxy = file_identity(config.proxy.model) if config.proxy and config.proxy.model else model
        return Identity(
            data=data,
            model=model,
            features=features_identity(config.features) if FEATURES in kinds else "",
            proxy=proxy_identity(config, data, proxy),
        )

    @cached_property
    def arguments(self) -> dict[str, Any]:
        return training_arguments(self.config, images=len(self.dataset), classes=len(self.dataset.class_names))

    @cached_property
    def plan(self) -> list[Cell]:
        return make_plan(self.config, self.identity, self.arguments)

    @cached_property
    def sources(self) -> Sources:
        return Sources(self.config, self.ledger, self.say, self.dataset, self.identity.proxy)

    def run_cell(self, cell: Cell, work: Path) -> FinishedCell:
        if cell.on_all:
            record = self._train(self.config.dataset, cell, work)
            return FinishedCell(cell.key, {**cell.to_dict(), "label": cell.label}, record)
        selection, choosing, cached = self._choose(cell)
        selection.save(work / "selection.json")
        reduced = write_subset(self.dataset, selection, work / "reduced", link="symlink")
        record = self._train(reduced.source.path, cell, work)
        shutil.rmtree(work / "reduced")  # selection.json makes it again
        summary = {
            "images": len(selection),
            "of": len(self.dataset),
            "hash": hashlib.sha256(json.dumps(list(selection.image_ids)).encode()).hexdigest(),
            "categories": dict(selection.categories),
            **cached,
        }
        return FinishedCell(cell.key, {**cell.to_dict(), "label": cell.label}, record, choosing, summary)

    def _choose(self, cell: Cell) -> tuple[Selection, dict[str, PhaseEnergy], dict[str, int]]:
        # the control `random` knows no categories, as srs does without them
        method, rule = ("srs", None) if cell.control == "random" else (cell.method, self.config.reduce.categories)
        source, choosing, cached = self.sources.choose_from(make_reducer(method, **cell.parameters).needs)
        composition, cost = self.redundancy.replaced(cell)
        choosing |= cost
        with EnergyMeter(self.config.energy.country).measure("selection") as energy:
            selection = select(
                source,
                method,
                cell.keep,
                cell.selection_seed or 0,
                rule,
                **composition,
                **cell.parameters,
            )
        choosing["selection"] = energy
        return selection, choosing, cached

    def _train(self, data: str | Path, cell: Cell, work: Path) -> TrainingRecord:
        record = train(
            data,
            model=self.config.train.model,
            output=work / TRAIN_FOLDER,
            seed=cell.training_seed,
            choose=self.config.evaluate.choose,
            evaluate_on=self.evaluate_on,
            country=self.config.energy.country,
            images_per_epoch=resolve_keep(cell.keep, len(self.dataset)) if cell.control == EQUAL_ITERATIONS else None,
            **self.arguments,
        )
        # links into the source: a ledger must not grow with the dataset
        shutil.rmtree(work / TRAIN_FOLDER / VIEW_FOLDER, ignore_errors=True)
        return record
