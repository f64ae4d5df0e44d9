"""Train one detector on one dataset, metered, and keep what it gave and cost."""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from detreduce.errors import DetreduceError, InputError
from detreduce.machine.hashes import file_hash
from detreduce.training.arguments import check_arguments
from detreduce.training.concurrent_runs import announced
from detreduce.training.energy import EnergyMeter, check_country
from detreduce.training.evaluation import evaluate, file_key
from detreduce.training.evidence import EVIDENCE_NAME
from detreduce.training.facts import (
    cpu_name,
    data_hash,
    device_name,
    selection_hash,
    versions,
    weights_hash,
)
from detreduce.training.flops import training_flops
from detreduce.training.quiet import offline_session
from detreduce.training.record import DataFacts, Evaluation, ModelFacts, TrainingRecord
from detreduce.training.run_folder import EvaluateOn, RunFolder, make_run_folder
from detreduce.training.trainer import Watch, watched
from detreduce.training.warm_up import warm_up
from detreduce.training.weights import find_model
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics

# arguments of training that also decide how predictions are made
_SHARED_WITH_EVALUATION = ("imgsz", "device", "workers", "single_cls", "conf", "iou", "max_det", "agnostic_nms", "nms")
_RESOLVED = (
    "optimizer", "lr0", "lrf", "momentum", "weight_decay", "warmup_epochs", "warmup_momentum", "warmup_bias_lr", "nbs",
    "batch", "epochs", "imgsz", "freeze", "close_mosaic", "mosaic", "cos_lr", "amp", "workers", "deterministic", "seed",
)  # fmt: skip


@announced
def train(
    data: str | Path,
    model: str | Path = "yolo11n.pt",
    *,
    output: str | Path | None = None,
    choose: Literal["last", "best"] = "last",
    evaluate_on: EvaluateOn = "auto",
    country: str = "ESP",
    seed: int = 0,
    images: str | Path | None = None,
    images_per_epoch: int | None = None,
    **ultralytics_arguments: Any,
) -> TrainingRecord:
    """Train a detector with ultralytics inside an energy meter and evaluate it twice.

    The source dataset is never written to: ultralytics works on links to the images and copies of the labels in the run
    folder. There it leaves its own files, ``weights/last.pt`` (or ``best.pt``), for a detection model
    ``evidence.npz`` (see `Evidence`) and, once all is done, ``record.json``; a run folder without it is an unfinished
    one. No network is used, except to download weights given by a bare name.

    Parameters
    ----------
    data
        Anything that `load_dataset` takes: a data.yaml, a COCO JSON, a Pascal VOC folder.
    model
        Weights (``.pt``) or a description to start from random weights (``.yaml``).
    output
        A new or empty folder for the run; default ``runs/train/<dataset>-<model>-<number>``.
    choose
        ``last``: the weights of the last epoch, nothing is validated while training. ``best``: those of the epoch that
        is best on the val split, validated each epoch and metered apart.
    evaluate_on
        ``auto``: test if there is one, else val; or ``test``, ``val``, ``val+test`` (all images together). Where no
        split has readable images with boxes, the record's ``evaluation`` is None and a warning says why.
    country
        Where the machine's electricity comes from (ISO code of three letters, in either case).
    seed
        Of ultralytics: the same seed on the same machine gives the same weights.
    images
        COCO only: the folder of the JSON's images, as for `load_dataset`.
    images_per_epoch
        Let an epoch be as long as one of so many images, in a stream that goes through all images again and again: the
        batches, optimiser steps, warm-up, learning rates and mosaic of a training on a subset of that size, with all
        the data. Default: an epoch is all images once.
    **ultralytics_arguments
        Any training argument of ultralytics by its own name: ``epochs=50, imgsz=640, batch=16, freeze=10``.

    Raises
    ------
    InputError
        Unknown arguments, unusable data, an output that holds something already.
    MissingFileError
        Weights or dataset that are not there.
    DetreduceError
        The evaluation failed; the message says where the trained weights are.
    """
    meter = EnergyMeter(check_country(country))
    quiet_ultralytics()
    if choose not in ("last", "best"):
        raise InputError(f'choose={choose!r}: give "last" or "best".')
    arguments = check_arguments(ultralytics_arguments)
    weights = find_model(model)
    label = f"{_dataset_name(data)}-{Path(weights).stem}"
    _check_images_per_epoch(images_per_epoch)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    run = make_run_folder(data, output, label=label, evaluate_on=evaluate_on, choose=choose, images=images)
    given = {**arguments, "seed": seed, "val": choose == "best"}
    try:
        with cpu_threads() as threads:
            watch, facts, messages = run_training(run, weights, given, meter, images_per_epoch=images_per_epoch)
            evaluation, heard = _evaluate(run, choose, given, watch, meter)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"training stopped; the unfinished run is in {run.path}") from None
    except DetreduceError:
        # bad input: unless something was trained nothing is worth keeping, and the next try may use the folder
        if not any((run.path / "weights").glob("*.pt")):
            run.discard()
        raise
    record = TrainingRecord(
        evaluation=evaluation,
        energy=meter.phases,
        seconds=meter.phases["training"].seconds,
        counts=watch.counts,
        data=_data_facts(data, run, watch),
        model=facts,
        choose=choose,
        seed=seed,
        images_per_epoch=images_per_epoch,
        flops=training_flops(watch.trainer),
        imgsz=watch.trainer.args.imgsz,
        arguments=dict(ultralytics_arguments),
        resolved=_resolved(watch.trainer),
        history=watch.history,
        device=device_name(watch.trainer.device),
        cpu=cpu_name(),
        threads=threads,
        versions=versions(),
        started=started,
        run=str(run.path),
        warnings=list(dict.fromkeys([*run.warnings, *_left_out(run, watch), *messages, *heard])),
    )
    record.save(run.path)
    return record


def run_training(
    run: RunFolder,
    weights: str,
    arguments: dict[str, Any],
    meter: EnergyMeter,
    *,
    phase: str = "training",
    images_per_epoch: int | None = None,
    observers: Mapping[str, Callable[[Any], None]] | None = None,
) -> tuple[Watch, ModelFacts, list[str]]:
    """Train in a run folder, metered as `phase`; the weights are in it afterwards.

    `observers` are called with ultralytics' trainer at its events (``on_fit_epoch_end``), inside the phase. Returns
    what was counted, the model's facts and what ultralytics had to say.
    """
    with offline_session() as messages:
        network = load_network(weights)
        watch = Watch(meter, validate=bool(arguments["val"]), messages=messages, images_per_epoch=images_per_epoch)
        for event, callback in [*watch.callbacks().items(), *(observers or {}).items()]:
            network.add_callback(event, callback)
        trainer_class = watched(network._smart_load("trainer"), watch)
        before = file_hash(weights) if network.ckpt else None
        warm_up(network, arguments.get("device"))
        try:
            with meter.measure(phase):
                network.train(
                    trainer=trainer_class, data=str(run.data_yaml), save_dir=str(run.path), **_plain(arguments)
                )
        except DetreduceError:
            raise
        except (RuntimeError, ValueError, SyntaxError, OSError) as error:
            raise _told(error, run) from error
        finally:
            watch.close()
        kept = run.path / "weights" / ("best.pt" if watch.validate else "last.pt")
        if not watch.validate:
            # without validation ultralytics saves every epoch as its best
            (run.path / "weights" / "best.pt").unlink(missing_ok=True)
        facts = ModelFacts(
            name=Path(weights).name,
            task=network.task,
            parameters=sum(parameter.numel() for parameter in network.model.parameters()),
            weights_before=before,
            weights_after=weights_hash(load_network(str(kept)).model.state_dict()),
            weights_file=str(kept.relative_to(run.path)),
        )
        return watch, facts, list(messages)


def _check_images_per_epoch(images: int | None) -> None:
    if images is not None and (isinstance(images, bool) or not isinstance(images, int) or images < 1):
        raise InputError(f"images_per_epoch={images!r}: must be a whole number of at least 1.")


def load_network(weights: str) -> Any:
    """Ultralytics' ``YOLO`` of weights or a description; raises InputError where it cannot be read."""
    from ultralytics import YOLO

    try:
        return YOLO(weights)
    except Exception as error:
        raise InputError(f"{weights}: ultralytics cannot read this model ({type(error).__name__}: {error}).") from error


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    """Without what ultralytics must choose itself, so that a checkpoint's own settings do not stand in for it."""
    return {name: value for name, value in arguments.items() if value is not None}


def _evaluate(
    run: RunFolder, choose: str, arguments: dict[str, Any], watch: Watch, meter: EnergyMeter
) -> tuple[Evaluation | None, list[str]]:
    if not run.truths:
        return None, []
    weights = run.path / "weights" / f"{choose}.pt"
    shared = {name: arguments[name] for name in _SHARED_WITH_EVALUATION if arguments.get(name) is not None}
    shared["imgsz"] = watch.trainer.args.imgsz
    data_yaml, scratch = run.evaluation_yaml, run.path / "evaluation"
    try:
        with meter.measure("evaluation"):
            return evaluate(
                weights,
                data_yaml,
                list(run.truths.values()),
                output=scratch,
                evidence=run.path / EVIDENCE_NAME,
                batch=max(1, int(watch.trainer.batch_size)) * 2,
                **shared,
            )
    except InputError as error:
        raise InputError(f"{error} The training itself is finished; its weights are {weights}.") from error
    except Exception as error:
        raise DetreduceError(
            f"The evaluation failed ({type(error).__name__}: {error}). "
            f"The training itself is finished; its weights are {weights}."
        ) from error
    finally:
        data_yaml.unlink(missing_ok=True)
        # pictures stay, if plots were asked for
        with contextlib.suppress(OSError):
            scratch.rmdir()


def _told(error: Exception, run: RunFolder) -> Exception:
    """Ultralytics' complaints about data, settings and memory in one sentence; anything else as it is."""
    text = " ".join(str(error).split())[:500]
    about_data = ("Dataset '", "No valid images", "No labels found", "dataset requires", "device=", "froze the entire")
    if "out of memory" in text or "not enough memory" in text:
        return DetreduceError(f"There is not enough memory for this training; give a smaller batch= or imgsz=: {text}")
    # torch says of a full disk that its writer failed
    if "inline_container" in text or (isinstance(error, OSError) and not isinstance(error, FileNotFoundError)):
        return DetreduceError(f"The training in {run.path} cannot go on: {text}")
    refused = isinstance(error, ValueError) and _raised_by_ultralytics(error)
    if refused or isinstance(error, (SyntaxError, FileNotFoundError)) or any(word in text for word in about_data):
        return InputError(f"ultralytics cannot train on {run.source.source.path}: {text}")
    return error


def _raised_by_ultralytics(error: Exception) -> bool:
    """Whether its own code found fault with something, not code that it called."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and str(frames[-1][0].f_globals.get("__name__", "")).startswith("ultralytics.")


def _data_facts(data: str | Path, run: RunFolder, watch: Watch) -> DataFacts:
    training = run.datasets["train"]
    place = Path(data).expanduser().resolve()
    used = {file_key(file) for file in watch.image_files}
    rows = [row for row, record in enumerate(training) if file_key(record.path) in used]
    return DataFacts(
        path=str(place),
        hash=data_hash(run.datasets.values()),
        selection_hash=selection_hash(place, run.source.image_ids),
        splits={split: len(dataset) for split, dataset in run.datasets.items()},
        train_images=len(watch.image_files),
        train_boxes=int(training.class_counts[rows].sum()),
        class_names=list(training.class_names),
    )


def _left_out(run: RunFolder, watch: Watch) -> list[str]:
    named, used = len(run.datasets["train"]), len(watch.image_files)
    if used == named:
        return []
    return [f"{named - used} of the {named} images of the train split were not trained on: ultralytics left them out."]


def _resolved(trainer: Any) -> dict[str, Any]:
    settings = {name: getattr(trainer.args, name, None) for name in _RESOLVED}
    settings["optimizer"] = type(trainer.optimizer).__name__
    settings["accumulate"] = trainer.accumulate
    # optimizer=auto passes its own momentum by, which for Adam is the first beta
    settings["momentum"] = trainer.optimizer.param_groups[0].get("betas", [settings["momentum"]])[0]
    return settings


def _dataset_name(data: str | Path) -> str:
    place = Path(data).expanduser()
    return place.resolve().parent.name if place.stem in {"data", "dataset"} else (place.stem or "dataset")


@contextmanager
def cpu_threads() -> Iterator[int]:
    """Let torch use as many threads as ``OMP_NUM_THREADS`` says, else one; yields the number.

    One is what ultralytics sets for itself, but only where torch was not imported before: the cells of an experiment
    would differ in time and energy by what ran before them.
    """
    import torch

    former = torch.get_num_threads()
    wanted = os.environ.get("OMP_NUM_THREADS", "1").split(",")[0]
    torch.set_num_threads(int(wanted) if wanted.isdigit() and int(wanted) else 1)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(former)
