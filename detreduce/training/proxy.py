"""A proxy: a short training of a small detector, of which a log is kept of how each ground-truth box fared."""

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
    """Epochs of a proxy ended with the weights that they began with."""


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
    """Train a small detector briefly and log, after each epoch, what it makes of every ground-truth box.

    The training is that of `detreduce.training.harness.train` with the same arguments: the same seed gives the same
    weights, the source is never written to. After each epoch the weights that ultralytics would validate (the moving
    average, EMA) look once at all training images, without augmentation, letterboxed as for validation; that costs one
    forward pass. Each box is matched to a prediction by `detreduce.training.box_matching.match`. Of twofold
    heads (YOLO26) the predictions are those of the part that ultralytics' inference uses by default.

    Kept are the log, and beside it, under its name with ``.pt``, the weights after the last epoch, which the block
    ``gradients`` is made from. Nothing is evaluated. All of it, the looking included, is metered as one phase, whose
    figures stay in the log's ``facts["energy"]``: they are part of what a selection made from it cost.

    Parameters
    ----------
    data
        Anything that `load_dataset` takes, or a dataset, whose source is read anew; its train split.
    model
        Weights (``.pt``) or a description to start from random weights (``.yaml``) of a YOLO detector.
    output
        The ``.npz`` to write; it may not be there yet.
    epochs
        At least 2: variance and forgetting are over epochs.
    imgsz, seed
        Of ultralytics.
    country
        Where the machine's electricity comes from.
    images
        COCO only: the folder of the JSON's images.
    **ultralytics_arguments
        Any other training argument of ultralytics by its own name.

    Raises
    ------
    InputError
        Unknown arguments, a model that is no plain detector, unusable data, an output that is there already.
    MissingFileError
        Weights or dataset that are not there.
    DetreduceError
        The training diverged: predictions that are not numbers.
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
    """What to say of epochs without an optimiser step, given the steps made by the end of each; empty if all had one.

    `nbs`, `batch`: ultralytics gathers the gradients of batches of `batch` images until they are `nbs`.
    """
    idle = sum(after == before for before, after in zip([0, *steps], steps, strict=False))
    if not idle:
        return ""
    return (
        f"{idle} of {len(steps)} epochs had no optimiser step, so the proxy learnt nothing in them: ultralytics takes "
        f"a step only once nbs={nbs} images have gone through. Give more epochs, or nbs={batch}, the batch."
    )


def check_log_place(output: str | Path) -> Path:
    """The log's path; raises InputError where it is no ``.npz``, or is there already.

    Raises DetreduceError where it cannot be written. Leaves nothing behind.
    """
    target = Path(output).expanduser().absolute()
    if target.suffix.lower() != SUFFIX:
        raise InputError(f"output={str(output)!r}: a proxy log is a {SUFFIX} file, for instance proxy{SUFFIX}.")
    for file in (target, target.with_suffix(WEIGHTS_SUFFIX)):
        if os.path.lexists(file):
            raise InputError(f"{file} is there already; a log is never overwritten, give another output.")
    _try_to_write(target)
    return target


def _try_to_write(target: Path) -> None:
    """Raise as `writing` does where a file cannot be written; leave nothing behind."""
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
    """Where a dataset is, and for COCO its folder of images."""
    if not isinstance(data, DetectionDataset):
        return data, images
    if data.split != "train":
        raise InputError(f"{data.source.path}: a proxy learns from the train split, and this is {data.split!r}.")
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
    """What ultralytics said of a file of the run's view, with the source's file in its place: the view is temporary.

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
    # last: where there is a log, there are its weights
    log.save(target)
    return log
