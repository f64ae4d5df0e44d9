"""A proxy: a short training of a small detector, with a log of its predictions for each ground-truth box."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detreduce.arrays.proxy_log import SUFFIX, ProxyLog
from detreduce.dataset.load import images_to_give
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import DetreduceWarning, InputError
from detreduce.machine.files import writing
from detreduce.machine.hashes import file_hash
from detreduce.training.concurrent_runs import announced, overlapped
from detreduce.training.energy import EnergyMeter, check_country
from detreduce.training.evaluation.ground_truth import file_key
from detreduce.training.facts import device_name, versions
from detreduce.training.proxy_observer import Observer
from detreduce.training.run.arguments import RESERVED_BY_PROXY, check_arguments
from detreduce.training.run.detector_training import DetectorTraining, cpu_threads, load_network, run_training
from detreduce.training.run.folder import VIEW_FOLDER, RunFolder, make_run_folder
from detreduce.training.run.model import find_model
from detreduce.ultralytics_bridge.detector import check_head
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics

if TYPE_CHECKING:
    pass

PHASE = "proxy training"
WEIGHTS_SUFFIX = ".pt"
LEAST_EPOCHS = 2


class IdleEpochsWarning(DetreduceWarning):
    """Some epochs of a proxy did not change the weights."""


@announced
def log_proxy_training(
    data: str | Path | DetectionDataset,
    model: str | Path = "yolo11n.pt",
    *,
    output: str | Path,
    epochs: int = 10,
    imgsz: int = 320,
    seed: int = 0,
    country: str = "ESP",
    images: str | Path | None = None,
    **ultralytics_arguments: Any,
) -> ProxyLog:
    """Train a small detector briefly and log, after each epoch, its predictions for every ground-truth box.

    The training is that of `detreduce.training.harness.train` with the same arguments: the same seed gives the same
    weights, and the source is never written to. After each epoch the weights that ultralytics would validate (the
    moving average, EMA) predict on all training images, without augmentation, letterboxed as for validation; that costs
    one forward pass. Each box is matched to a prediction by `detreduce.training.box_matching.match`. Some
    heads (YOLO26) have two parts; the one that ultralytics' inference uses by default predicts.

    The log and the weights after the last epoch are kept. The weights have the log's name with ``.pt``; the block
    ``gradients`` needs them. Nothing is evaluated. Training and predictions are metered as one phase. Its energy is in
    the log's ``facts["energy"]``: it is part of the cost of a selection made with the log.

    Parameters
    ----------
    data
        Anything that `load_dataset` takes, or a dataset, whose source is read again. Its train split is used.
    model
        Weights (``.pt``) or a description to start from random weights (``.yaml``) of a YOLO detector.
    output
        The ``.npz`` to write; it must not exist.
    epochs
        At least 2: variance and forgetting need several epochs.
    imgsz, seed
        Arguments of ultralytics.
    country
        Country whose electricity mix converts energy to CO2.
    images
        COCO only: the folder of the JSON's images.
    **ultralytics_arguments
        Any other training argument of ultralytics by its own name.

    Raises
    ------
    InputError
        Unknown arguments, a model that is no plain detector, unusable data, an output that exists.
    MissingFileError
        Weights or a dataset that do not exist.
    DetreduceError
        The training diverged (predictions are not numbers), or the machine refused (memory, disk).
    """
    meter = EnergyMeter(check_country(country))
    quiet_ultralytics()
    target = check_log_place(output)
    arguments = check_arguments({**ultralytics_arguments, "epochs": epochs, "imgsz": imgsz}, RESERVED_BY_PROXY)
    if epochs < LEAST_EPOCHS:
        raise InputError(f"epochs={epochs}: a proxy needs at least {LEAST_EPOCHS}, since its scores are over epochs.")
    weights = find_model(model)
    check_head(load_network(weights), Path(weights).name)
    place, images = _place(data, images)
    with _scratch_run(place, images) as run, cpu_threads():
        observer = Observer(run)
        given = {**arguments, "seed": seed, "val": False}
        observers = {"on_fit_epoch_end": observer.look}
        trained = run_training(DetectorTraining(weights, given, phase=PHASE, observers=observers), run, meter)
        trainer = trained.watch.trainer
        messages = [*run.warnings, *(name_source_file(line, run, observer.row_of) for line in trained.messages)]
        if idle := idle_epochs(observer.steps, trainer.args.nbs, trainer.batch_size):
            warnings.warn(idle, IdleEpochsWarning, stacklevel=3)
            messages.append(idle)
        facts = {
            "class_names": list(run.source.class_names),
            "model": trained.model.name,
            "weights_before": trained.model.weights_before,
            "epochs": epochs,
            "imgsz": trainer.args.imgsz,
            "seed": seed,
            "arguments": ultralytics_arguments,
            "energy": meter.phases[PHASE].model_copy(update={"overlapped": overlapped()}).model_dump(mode="json"),
            "device": device_name(trainer.device),
            "versions": versions(),
            "data": {"path": str(place), "split": run.source.split, "content_hash": run.source.content_hash},
            "warnings": list(dict.fromkeys(messages)),
        }
        return _keep_log(observer, facts, run.path / trained.model.weights_file, target)


def idle_epochs(steps: Sequence[int], nbs: int, batch: int) -> str:
    """Return a warning about epochs without an optimiser step, or an empty text.

    `steps` counts the optimiser steps up to the end of each epoch. Ultralytics adds up the gradients of batches of
    `batch` images until they are `nbs` images.
    """
    idle = sum(after == before for before, after in zip([0, *steps], steps, strict=False))
    if not idle:
        return ""
    return (
        f"{idle} of {len(steps)} epochs had no optimiser step, so the proxy learnt nothing in them: ultralytics "
        f"takes a step after every nbs={nbs} images. Give more epochs, or nbs={batch}, the batch."
    )


def check_log_place(output: str | Path) -> Path:
    """Return the log's path; raise InputError if it is no ``.npz`` or exists, DetreduceError if it cannot be written.

    Leave nothing behind.
    """
    target = Path(output).expanduser().absolute()
    if target.suffix.lower() != SUFFIX:
        raise InputError(f"output={str(output)!r}: a proxy log is a {SUFFIX} file, for instance proxy{SUFFIX}.")
    for file in (target, target.with_suffix(WEIGHTS_SUFFIX)):
        if os.path.lexists(file):
            raise InputError(f"{file} exists; a log is never overwritten, give another output.")
    _try_to_write(target)
    return target


def _try_to_write(target: Path) -> None:
    """Raise as `writing` does if a file cannot be written; leave nothing behind."""
    made = [part for part in target.parents if not os.path.lexists(part)]
    try:
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=target.parent):
                pass
    finally:
        for part in made:
            with suppress(OSError):
                part.rmdir()


def _place(data: str | Path | DetectionDataset, images: str | Path | None) -> tuple[str | Path, str | Path | None]:
    """Return the path of a dataset, and for COCO its folder of images."""
    if not isinstance(data, DetectionDataset):
        return data, images
    if data.split != "train":
        raise InputError(f"{data.source.path}: a proxy learns from the train split, and this one is {data.split!r}.")
    return data.source.path, images or images_to_give(data)


@contextmanager
def _scratch_run(place: str | Path, images: str | Path | None) -> Iterator[RunFolder]:
    with tempfile.TemporaryDirectory(prefix="detreduce-proxy-", ignore_cleanup_errors=True) as scratch:
        run = make_run_folder(place, Path(scratch) / "run", label="proxy", images=images)
        try:
            yield run
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the proxy training was stopped; nothing of it is kept") from None


def name_source_file(line: str, run: RunFolder, row_of: Mapping[str, int]) -> str:
    """Return a message of ultralytics with the source's file instead of the view's: the view is temporary.

    `row_of`: the source's row of each image file of the view.
    """
    view = str(run.path / VIEW_FOLDER)
    if named := re.search(re.escape(view) + r"/.+?(?=: |$)", line):
        row = row_of.get(file_key(named[0]))
        source = Path(named[0]).resolve() if row is None else run.source[row].path
        line = line.replace(named[0], str(source))
    return line.replace(view + "/", "")


def _keep_log(observer: Observer, facts: dict[str, Any], weights: Path, target: Path) -> ProxyLog:
    kept = target.with_suffix(WEIGHTS_SUFFIX)
    partial = kept.with_name(f".{kept.name}.partial")
    try:
        with writing(kept):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(weights, partial)
            facts["weights_sha256"] = file_hash(partial)
            log = observer.log(facts)
            partial.replace(kept)
    finally:
        partial.unlink(missing_ok=True)
    # the log comes last: a log always has its weights
    log.save(target)
    return log
