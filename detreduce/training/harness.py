"""Train one detector on one dataset, metered, and keep what it gave and cost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from detreduce.errors import DetreduceError, InputError
from detreduce.pretrained import quiet_ultralytics
from detreduce.training.arguments import check_arguments
from detreduce.training.energy import EnergyMeter
from detreduce.training.evaluation import evaluate
from detreduce.training.facts import cpu_name, data_hash, device_name, file_hash, versions, weights_hash
from detreduce.training.quiet import offline_session
from detreduce.training.record import DataFacts, Evaluation, ModelFacts, TrainingRecord
from detreduce.training.run_folder import EvaluateOn, RunFolder, make_run_folder
from detreduce.training.trainer import Watch, watched
from detreduce.training.weights import find_model

# arguments of training that also decide how predictions are made
_SHARED_WITH_EVALUATION = ("imgsz", "device", "workers", "single_cls", "conf", "iou", "max_det", "agnostic_nms", "nms")
_RESOLVED = (
    "optimizer", "lr0", "lrf", "momentum", "weight_decay", "warmup_epochs", "warmup_momentum", "warmup_bias_lr", "nbs",
    "batch", "epochs", "imgsz", "freeze", "close_mosaic", "mosaic", "cos_lr", "amp", "workers", "deterministic", "seed",
)  # fmt: skip


def train(
    data: str | Path,
    model: str | Path = "yolo11n.pt",
    *,
    output: str | Path | None = None,
    choose: Literal["last", "best"] = "last",
    evaluate_on: EvaluateOn = "auto",
    country: str = "ESP",
    seed: int = 0,
    **ultralytics_arguments: Any,
) -> TrainingRecord:
    """Train a detector with ultralytics inside an energy meter and evaluate it twice.

    The source dataset is never written to: ultralytics works on links to the images and copies of the labels in the run
    folder. There it leaves its own files, ``weights/last.pt`` (or ``best.pt``) and, once all is done, ``record.json``;
    a run folder without it is an unfinished one. No network is used, except to download weights given by a bare name.

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
        ``auto``: test if there is one, else val; or ``test``, ``val``, ``val+test`` (all images together).
    country
        Where the machine's electricity comes from (ISO code of three letters).
    seed
        Of ultralytics: the same seed on the same machine gives the same weights.
    **ultralytics_arguments
        Any training argument of ultralytics by its own name: ``epochs=50, imgsz=640, batch=16, freeze=10``.

    Raises
    ------
    InputError
        Unknown arguments, unusable data, an output that holds something already.
    MissingFileError
        Weights or dataset that are not there.
    """
    quiet_ultralytics()
    if choose not in ("last", "best"):
        raise InputError(f'choose={choose!r}: give "last" or "best".')
    arguments = check_arguments(ultralytics_arguments)
    meter = EnergyMeter(country)
    weights = find_model(model)
    label = f"{_dataset_name(data)}-{Path(weights).stem}"
    started = datetime.now(UTC).isoformat(timespec="seconds")
    run = make_run_folder(data, output, label=label, evaluate_on=evaluate_on, choose=choose)
    given = {**arguments, "seed": seed, "val": choose == "best"}
    try:
        with _cpu_threads() as threads:
            watch, facts, messages = _train(run, weights, given, meter)
            evaluation, heard = _evaluate(run, choose, given, watch, meter)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"training stopped; the unfinished run is in {run.path}") from None
    except DetreduceError:
        # bad input: nothing in the folder is worth keeping, and the next try may use it
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    record = TrainingRecord(
        evaluation=evaluation,
        energy=meter.phases,
        seconds=meter.phases["training"].seconds,
        counts=watch.counts,
        data=_data_facts(data, run),
        model=facts,
        choose=choose,
        seed=seed,
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
        warnings=list(dict.fromkeys([*run.warnings, *messages, *heard])),
    )
    record.save(run.path)
    return record


def _train(
    run: RunFolder, weights: str, arguments: dict[str, Any], meter: EnergyMeter
) -> tuple[Watch, ModelFacts, list[str]]:
    with offline_session() as messages:
        network = _load(weights)
        watch = Watch(meter, validate=bool(arguments["val"]), messages=messages)
        for event, callback in watch.callbacks().items():
            network.add_callback(event, callback)
        trainer_class = watched(network._smart_load("trainer"), watch)
        before = file_hash(weights) if network.ckpt else None
        try:
            with meter.measure("training"):
                network.train(
                    trainer=trainer_class, data=str(run.data_yaml), save_dir=str(run.path), **_plain(arguments)
                )
        except DetreduceError:
            raise
        except (RuntimeError, ValueError, SyntaxError, FileNotFoundError) as error:
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
            weights_after=weights_hash(_load(str(kept)).model.state_dict()),
            weights_file=str(kept.relative_to(run.path)),
        )
        return watch, facts, list(messages)


def _load(weights: str) -> Any:
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
    if not run.evaluated:
        return None, ["The dataset has neither a test nor a val split, so there are no figures."]
    shared = {name: arguments[name] for name in _SHARED_WITH_EVALUATION if arguments.get(name) is not None}
    shared["imgsz"] = watch.trainer.args.imgsz
    with meter.measure("evaluation"):
        return evaluate(
            run.path / "weights" / f"{choose}.pt",
            run.evaluation_yaml,
            [run.datasets[split] for split in run.evaluated],
            output=run.path / "evaluation",
            batch=max(1, int(watch.trainer.batch_size)) * 2,
            **shared,
        )


def _told(error: Exception, run: RunFolder) -> Exception:
    """Ultralytics' complaints about data in one sentence; anything else as it is."""
    text = " ".join(str(error).split())
    about_data = ("Dataset '", "No valid images", "No labels found", "dataset requires", "device=", "froze the entire")
    if isinstance(error, (SyntaxError, FileNotFoundError)) or any(word in text for word in about_data):
        return InputError(f"ultralytics cannot train on {run.data_yaml}: {text[:500]}")
    return error


def _data_facts(data: str | Path, run: RunFolder) -> DataFacts:
    training = run.datasets["train"]
    place = Path(data).expanduser().resolve()
    selection = (place if place.is_dir() else place.parent) / "selection.json"
    return DataFacts(
        path=str(place),
        hash=data_hash(run.datasets.values()),
        selection_hash=file_hash(selection) if selection.is_file() else None,
        splits={split: len(dataset) for split, dataset in run.datasets.items()},
        train_images=len(training),
        train_boxes=int(training.class_counts.sum()),
        class_names=list(training.class_names),
    )


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
def _cpu_threads() -> Iterator[int]:
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
