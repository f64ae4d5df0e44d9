"""Train one detector on one dataset, and record its accuracy and its cost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from detreduce.display.listener import say
from detreduce.display.progress import step
from detreduce.errors import DetreduceError, InputError
from detreduce.training.concurrent_runs import announced
from detreduce.training.energy import EnergyMeter, check_country
from detreduce.training.evaluation.corruptions import check_corruptions
from detreduce.training.evaluation.evaluate import evaluate
from detreduce.training.evaluation.evidence import EVIDENCE_NAME
from detreduce.training.evaluation.figures import CorruptedEvaluation, Evaluation
from detreduce.training.evaluation.ground_truth import file_key
from detreduce.training.evaluation.robustness import FOLDER, PHASE, CleanImages, check_channels, evaluate_corrupted
from detreduce.training.facts import cpu_name, data_hash, device_name, selection_hash, versions
from detreduce.training.flops import training_flops
from detreduce.training.recipes.few_steps import describe_few_steps, seen_by
from detreduce.training.recipes.prepare import PreparedRecipe, RecipeData, check_contradictions, prepared_recipe
from detreduce.training.recipes.reading import read_recipe
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.recipes.settings import RecipeSettings
from detreduce.training.record import PLOTS_FOLDER, DataFacts, TrainingRecord
from detreduce.training.run.arguments import check_arguments
from detreduce.training.run.detector_training import DetectorTraining, cpu_threads, run_training
from detreduce.training.run.evaluation_arguments import evaluation_arguments
from detreduce.training.run.folder import EvaluateOn, EvaluationPlan, RunFolder, make_run_folder
from detreduce.training.run.model import find_model
from detreduce.training.run.trainer import Watch
from detreduce.training.streams.stream import UNIFORM
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics
from detreduce.vocabulary.corruptions import Corruption

_RESOLVED = (
    "optimizer", "lr0", "lrf", "momentum", "weight_decay", "warmup_epochs", "warmup_momentum", "warmup_bias_lr", "nbs",
    "batch", "epochs", "imgsz", "freeze", "close_mosaic", "mosaic", "cos_lr", "amp", "workers", "deterministic", "seed",
)  # fmt: skip


@announced
def train(
    data: str | Path,
    model: str | Path = "yolo11n.pt",
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | PreparedRecipe | None = None,
    output: str | Path | None = None,
    choose: Literal["last", "best"] = "last",
    evaluate_on: EvaluateOn = "auto",
    country: str = "ESP",
    seed: int = 0,
    images: str | Path | None = None,
    images_per_epoch: int | None = None,
    evaluation_plots: bool = False,
    allow_leaks: bool = False,
    corruptions: Sequence[str] | str = (),
    **ultralytics_arguments: Any,
) -> TrainingRecord:
    """Train a detector with ultralytics, meter its energy, and evaluate it with ultralytics and with pycocotools.

    The files of the dataset are not changed, because ultralytics works with links to the images and copies of the
    labels in the run folder. After the training, the run folder contains

    - ultralytics' own files and ``weights/last.pt`` (or ``best.pt``),
    - ``evidence.npz`` for a detection model (see `Evidence`),
    - ``record.json``, which is written last. A run without this file is unfinished.

    Detreduce uses the internet only to download weights that are given by a name without a folder.

    Parameters
    ----------
    data
        Any dataset that `load_dataset` can read, for example a data.yaml, a COCO JSON or a Pascal VOC folder.
    model
        Weights (``.pt``), or a model description (``.yaml``) for random initial weights.
    recipe
        The images of the training, their order, the length of the training and its settings: a `Recipe`, a dict, or the
        path of a YAML file. Without a recipe, each image is used once per epoch. ``epochs`` and all other arguments
        that the recipe does not set are passed to `train` as usual. The optimiser and the learning rate stay the same,
        unless the recipe sets the learning rate. If the recipe sets `images_seen`, each epoch has
        ``images_seen / epochs`` images, so that the learning rate decays until the end of the training.
    output
        A new or empty folder for the run. The default is ``runs/train/<dataset>-<model>-<number>``.
    choose
        ``last`` uses the weights of the last epoch, without validation during the training. ``best`` validates on the
        val split after each epoch, and uses the weights of the best epoch. Validation is metered as a separate phase.
    evaluate_on
        Splits for the final evaluation. ``auto`` means test if it exists, or else val. ``val+test`` means the images of
        both splits together. If none of these splits has readable images with boxes, the record's ``evaluation`` is
        None, and a warning says why.
    country
        The country whose electricity mix is used to convert energy to CO2 (three-letter ISO code, upper or lower case).
    seed
        The seed for ultralytics. The same seed on the same machine gives the same weights.
    images
        The folder of the images, only for COCO, as in `load_dataset`.
    images_per_epoch
        Number of images in one epoch. By default, each image is used once per epoch. If the number is smaller than the
        dataset, each epoch continues where the previous epoch ended, so that the training still uses all images. When
        all images have been used, they are used again in a new random order. Batches, optimiser steps, warm-up,
        learning rates and mosaic are the same as in a training on a subset of this size.
    evaluation_plots
        Whether to write ultralytics' plots of the final evaluation to the folder ``evaluation`` in the run folder:
        curves of precision and recall, and a confusion matrix. Ultralytics' argument ``plots=True`` has the same
        effect.
    allow_leaks
        Whether to train even if images of val or test are also in train. The record then has a warning.
    corruptions
        Corruptions for an additional evaluation on corrupted images: ``noise``, ``blur``, ``brightness``, ``jpeg``, or
        ``all``, each at three severities. The corrupted copies are in the run folder only during the evaluation. These
        evaluations are metered as a separate phase, ``robustness``.
    **ultralytics_arguments
        Any training argument of ultralytics by its own name: ``epochs=50, imgsz=640, batch=16, freeze=10``.

    Raises
    ------
    InputError
        An argument is unknown or contradicts the recipe. The recipe or the data cannot be used. The output folder is
        not empty. An image of val or test is also in train (the same file, or the same bytes), so that the mAP would be
        too high.
    MissingFileError
        The weights or the dataset do not exist.
    DetreduceError
        There is not enough memory or disk space, or the evaluation failed. In the latter case, the message contains the
        path of the trained weights.
    """
    meter = EnergyMeter(check_country(country))
    quiet_ultralytics()
    if choose not in ("last", "best"):
        raise InputError(f'choose={choose!r} is not known. Use "last" or "best".')
    checked = check_arguments(ultralytics_arguments)
    _check_images_per_epoch(images_per_epoch)
    corrupting = check_corruptions(corruptions)
    weights = find_model(model)
    label = f"{_dataset_name(data)}-{Path(weights).stem}"
    plots = evaluation_plots or bool(checked.get("plots"))
    where = RecipeData(data, images, weights, seed)
    # an experiment says it once, for all its cells
    in_experiment = isinstance(recipe, PreparedRecipe)
    with contextlib.ExitStack() as stack:
        if recipe is not None and not isinstance(recipe, PreparedRecipe):
            wanted = read_recipe(recipe)
            check_contradictions(wanted, ultralytics_arguments, images_per_epoch)
            recipe = stack.enter_context(prepared_recipe(wanted, where, checked, meter))
        elif recipe is None:
            recipe = PreparedRecipe(None, RecipeSettings(checked, images_per_epoch), data)
        else:
            recipe = replace(recipe, settings=RecipeSettings(checked, images_per_epoch))
        plan = EvaluationPlan(evaluate_on, choose, allow_leaks)
        # a subset has its own links to the images, so it needs no folder of images
        folder = images if recipe.data == data else None
        source = recipe.data if recipe.loaded is None else recipe.loaded
        run = make_run_folder(source, output, label=label, images=folder, evaluation=plan)
        own = {name: value for name, value in recipe.settings.arguments.items() if value != checked.get(name)}
        note = "" if in_experiment else _describe_few_steps(recipe.settings, run)
        if note:
            say(f"Warning: {note}")
        job = _Job(where, recipe, choose, plots, {**ultralytics_arguments, **own}, corrupting, note)
        return _train(job, run, meter)


@dataclass(frozen=True)
class _Job:
    """A training that is ready to run.

    `given` are the arguments of ultralytics that the record stores. `note` is a warning for the record, or empty.
    """

    where: RecipeData
    recipe: PreparedRecipe
    choose: Literal["last", "best"]
    plots: bool
    given: Mapping[str, Any]
    corruptions: Sequence[Corruption] = ()
    note: str = ""

    @property
    def training(self) -> DetectorTraining:
        """The settings for `run_training`."""
        recipe, settings = self.recipe.recipe, self.recipe.settings
        return DetectorTraining(
            self.where.model,
            {**settings.arguments, "seed": self.where.seed, "val": self.choose == "best"},
            settings.images_per_epoch,
            stream=UNIFORM if recipe is None else recipe.stream,
            sizes=None if recipe is None else recipe.progressive,
            skip=None if recipe is None else recipe.skipping,
        )


def _train(job: _Job, run: RunFolder, meter: EnergyMeter) -> TrainingRecord:
    """Train and evaluate in a run folder, and write the record."""
    training = job.training
    started = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        if job.corruptions:
            check_channels(run.data_yaml)
        with cpu_threads() as threads:
            trained = run_training(training, run, meter)
            evaluation, evaluation_warnings = _evaluate(run, training, trained.watch, meter, plots=job.plots)
            corrupted = _evaluate_corrupted(run, training, trained.watch, meter, job.corruptions)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"the training was stopped; the unfinished run is in {run.path}") from None
    except DetreduceError:
        # without weights the run is useless, so discard it, and the next attempt can use the folder
        if not any((run.path / "weights").glob("*.pt")):
            run.discard()
        raise
    watch, recipe = trained.watch, job.recipe.recipe
    messages = [
        *[job.note] * bool(job.note),
        *run.warnings,
        *_images_left_out(run, watch),
        *trained.messages,
        *evaluation_warnings,
    ]
    record = TrainingRecord(
        evaluation=evaluation,
        energy=meter.phases,
        seconds=meter.phases["training"].seconds,
        counts=watch.counts,
        data=_data_facts(job, run, watch),
        model=trained.model,
        choose=job.choose,
        seed=job.where.seed,
        images_per_epoch=training.images_per_epoch,
        recipe=None if recipe is None else recipe.to_dict(),
        flops=training_flops(watch.trainer, watch.relative_cost),
        imgsz=watch.trainer.args.imgsz,
        arguments=dict(job.given),
        resolved=_resolved_settings(watch.trainer),
        history=watch.history,
        device=device_name(watch.trainer.device),
        cpu=cpu_name(),
        threads=threads,
        versions=versions(),
        started=started,
        run=str(run.path),
        warnings=list(dict.fromkeys(messages)),
        corrupted=corrupted,
    )
    record.save(run.path)
    return record


def _describe_few_steps(settings: RecipeSettings, run: RunFolder) -> str:
    """Return a warning if a training has few optimiser steps, and each of them takes several batches."""
    per_epoch = settings.images_per_epoch or len(run.datasets["train"])
    return describe_few_steps(settings.arguments, seen_by(settings.arguments, per_epoch))


def _check_images_per_epoch(images: int | None) -> None:
    if images is not None and (isinstance(images, bool) or not isinstance(images, int) or images < 1):
        raise InputError(f"images_per_epoch={images!r} must be a whole number of at least 1.")


def _evaluate(
    run: RunFolder, training: DetectorTraining, watch: Watch, meter: EnergyMeter, *, plots: bool
) -> tuple[Evaluation | None, list[str]]:
    """Evaluate the trained weights. Return the evaluation and its warnings.

    If there are no images to evaluate on, the evaluation is None.
    """
    if not run.truths:
        return None, []
    data_yaml, scratch = run.evaluation_yaml, run.path / PLOTS_FOLDER
    weights = _weights(run, watch)
    try:
        with _explained(weights), step("evaluating the trained model"), meter.measure("evaluation"):
            return evaluate(
                weights,
                data_yaml,
                list(run.truths.values()),
                output=scratch,
                evidence=run.path / EVIDENCE_NAME,
                plots=plots,
                **evaluation_arguments(training.arguments, watch.trainer.args.imgsz, watch.trainer.batch_size),
            )
    finally:
        data_yaml.unlink(missing_ok=True)
        # a folder that contains plots is not empty, so it stays
        with contextlib.suppress(OSError):
            scratch.rmdir()


def _evaluate_corrupted(
    run: RunFolder, training: DetectorTraining, watch: Watch, meter: EnergyMeter, corruptions: Sequence[Corruption]
) -> list[CorruptedEvaluation]:
    """Evaluate the trained weights on corrupted images. Return one evaluation for each corruption and severity."""
    if not run.truths or not corruptions:
        return []
    weights, clean = _weights(run, watch), CleanImages(run.data_yaml, list(run.truths.values()))
    with _explained(weights), meter.measure(PHASE):
        arguments = evaluation_arguments(training.arguments, watch.trainer.args.imgsz, watch.trainer.batch_size)
        return evaluate_corrupted(weights, clean, corruptions, run.path / FOLDER, arguments)


def _weights(run: RunFolder, watch: Watch) -> Path:
    return run.path / "weights" / ("best.pt" if watch.validate else "last.pt")


@contextlib.contextmanager
def _explained(weights: Path) -> Iterator[None]:
    """If the evaluation in the ``with`` block fails, raise an error that also says where the trained weights are."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{error} The training itself is finished: the weights are in {weights}.") from error
    except Exception as error:
        raise DetreduceError(
            f"The evaluation failed ({type(error).__name__}: {error}). "
            f"The training itself is finished: the weights are in {weights}."
        ) from error


def _data_facts(job: _Job, run: RunFolder, watch: Watch) -> DataFacts:
    """Return facts about the data for the record.

    If the recipe trains on a subset, `path` is the path of the whole dataset, and all other facts are about the subset.
    """
    training = run.datasets["train"]
    place = Path(job.recipe.data).expanduser().resolve()
    used = {file_key(file) for file in watch.image_files}
    rows = [row for row, record in enumerate(training) if file_key(record.path) in used]
    return DataFacts(
        path=str(Path(job.where.data).expanduser().resolve()),
        hash=data_hash(run.datasets.values()),
        selection_hash=selection_hash(place, run.source.image_ids),
        splits={split: len(dataset) for split, dataset in run.datasets.items()},
        train_images=len(watch.image_files),
        train_boxes=int(training.sparse_class_counts[rows].sum()),
        class_names=list(training.class_names),
        problems=run.problems,
    )


def _images_left_out(run: RunFolder, watch: Watch) -> list[str]:
    """Return a warning if ultralytics did not train on all images of the train split."""
    named, used = len(run.datasets["train"]), len(watch.image_files)
    if used == named:
        return []
    return [f"Ultralytics did not train on {named - used} of the {named} images of the train split."]


def _resolved_settings(trainer: Any) -> dict[str, Any]:
    """Return name -> value of the settings that the training really used, for example the chosen optimiser."""
    settings = {name: getattr(trainer.args, name, None) for name in _RESOLVED}
    settings["optimizer"] = type(trainer.optimizer).__name__
    settings["accumulate"] = trainer.accumulate
    # optimizer=auto ignores the argument momentum; the momentum of Adam is its first beta
    settings["momentum"] = trainer.optimizer.param_groups[0].get("betas", [settings["momentum"]])[0]
    return settings


def _dataset_name(data: str | Path) -> str:
    """Return the name of the dataset that is used in the name of the run folder."""
    place = Path(data).expanduser()
    return place.resolve().parent.name if place.stem in {"data", "dataset"} else (place.stem or "dataset")
