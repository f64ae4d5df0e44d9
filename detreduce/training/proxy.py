"""The proxy training: train a small detector briefly, and log its predictions for each ground-truth box."""

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
    """Warns that some epochs of a proxy training did not change the weights."""


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
    """Train a small detector briefly. After each epoch, log its predictions for every ground-truth box.

    `detreduce.training.harness.train` trains in the same way if it gets the same arguments. The same seed gives the
    same weights. The files of the dataset are not changed.

    After each epoch, the detector predicts on all training images with its averaged weights (EMA). As in ultralytics'
    validation, the images are letterboxed and not augmented. The predictions cost one forward pass per image and epoch.
    `detreduce.training.box_matching.match` matches each box to one prediction. If the detection head has two parts
    (YOLO26), the predictions come from the part that ultralytics uses by default for inference.

    Two files are written: the log, and the weights after the last epoch, under the name of the log with the suffix
    ``.pt``. The feature block ``gradients`` needs these weights. The detector is not evaluated. Training and
    predictions are metered as one phase. The energy of this phase is in ``facts["energy"]`` of the log. It is part of
    the cost of every selection that uses the log.

    Parameters
    ----------
    data
        Any dataset that `load_dataset` can read, or a loaded dataset, which is read again from disk. The train split is
        used.
    model
        A YOLO detector: weights (``.pt``), or a model description (``.yaml``) for random initial weights.
    output
        Path of the ``.npz`` file to write. The file must not exist.
    epochs
        Number of epochs. It must be at least 2, because variance and forgetting need several epochs.
    imgsz
        Image size in pixels, an argument of ultralytics.
    seed
        Seed of the training, an argument of ultralytics.
    country
        The country whose electricity mix is used to convert energy to CO2.
    images
        The folder of the images, only for COCO.
    **ultralytics_arguments
        Any other training argument of ultralytics by its own name.

    Raises
    ------
    InputError
        An argument is unknown, the model is not a plain detector, the data cannot be used, or the output already
        exists.
    MissingFileError
        The weights or the dataset do not exist.
    DetreduceError
        The training diverged (predictions are NaN or infinite), or there is not enough memory or disk space.
    """
    meter = EnergyMeter(check_country(country))
    quiet_ultralytics()
    target = check_log_place(output)
    arguments = check_arguments({**ultralytics_arguments, "epochs": epochs, "imgsz": imgsz}, RESERVED_BY_PROXY)
    if epochs < LEAST_EPOCHS:
        raise InputError(
            f"epochs={epochs}: a proxy needs at least {LEAST_EPOCHS} epochs, because scores compare epochs."
        )
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
    """Return a warning if some epochs had no optimiser step, or else an empty string.

    `steps` has the number of optimiser steps from the start of the training to the end of each epoch. Ultralytics adds
    up the gradients of several batches of `batch` images, and takes an optimiser step after every `nbs` images.
    """
    idle = sum(after == before for before, after in zip([0, *steps], steps, strict=False))
    if not idle:
        return ""
    return (
        f"{idle} of {len(steps)} epochs had no optimiser step, so the proxy did not learn in these epochs. Ultralytics "
        f"takes a step after every nbs={nbs} images. Use more epochs, or nbs={batch} (the batch size)."
    )


def check_log_place(output: str | Path) -> Path:
    """Check that a proxy log can be written to `output`, and return the absolute path. No files remain.

    Raise InputError if the path does not end in ``.npz``, or if the log or its weights already exist. Raise
    DetreduceError if the log could not be written.
    """
    target = Path(output).expanduser().absolute()
    if target.suffix.lower() != SUFFIX:
        raise InputError(f"output={str(output)!r}: a proxy log is a {SUFFIX} file. Use for example proxy{SUFFIX}.")
    for file in (target, target.with_suffix(WEIGHTS_SUFFIX)):
        if os.path.lexists(file):
            raise InputError(f"{file} exists, and a log is never overwritten. Choose another output.")
    _try_to_write(target)
    return target


def _try_to_write(target: Path) -> None:
    """Raise DetreduceError if a file cannot be written at this path. No files or folders are left on the disk."""
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
    """Return the path of the dataset and the folder of its images. The folder is None if the format needs none.

    Raise InputError if `data` is a loaded dataset of another split than train.
    """
    if not isinstance(data, DetectionDataset):
        return data, images
    if data.split != "train":
        raise InputError(
            f"{data.source.typed}: a proxy needs the train split, but this dataset is the split {data.split!r}."
        )
    return data.source.path, images or images_to_give(data)


@contextmanager
def _scratch_run(place: str | Path, images: str | Path | None) -> Iterator[RunFolder]:
    """Yield a run folder in a temporary folder, which is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="detreduce-proxy-", ignore_cleanup_errors=True) as scratch:
        run = make_run_folder(place, Path(scratch) / "run", label="proxy", images=images)
        try:
            yield run
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the proxy training was stopped; its files are deleted") from None


def name_source_file(line: str, run: RunFolder, row_of: Mapping[str, int]) -> str:
    """Replace the path of a temporary file in a message of ultralytics by the path of the original file in the dataset.

    `row_of` maps the `file_key` of each temporary image file to its row in the dataset.
    """
    view = str(run.path / VIEW_FOLDER)
    if named := re.search(re.escape(view) + r"/.+?(?=: |$)", line):
        row = row_of.get(file_key(named[0]))
        source = Path(named[0]).resolve() if row is None else run.source[row].path
        line = line.replace(named[0], str(source))
    return line.replace(view + "/", "")


def _keep_log(observer: Observer, facts: dict[str, Any], weights: Path, target: Path) -> ProxyLog:
    """Write the log and a copy of the weights. Return the log."""
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
    # write the log last, so that wherever there is a log, there are also its weights
    log.save(target)
    return log
