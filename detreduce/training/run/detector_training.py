"""Train a network with ultralytics in a run folder, while metering its energy and counting its work."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detreduce.errors import DetreduceError, InputError
from detreduce.machine.hashes import file_hash
from detreduce.training.energy import EnergyMeter
from detreduce.training.facts import weights_hash
from detreduce.training.progressive_size import ProgressiveSize
from detreduce.training.record import ModelFacts
from detreduce.training.run.feed import Feed
from detreduce.training.run.folder import RunFolder
from detreduce.training.run.offline import offline_session
from detreduce.training.run.reading.plan_stream import plan_stream
from detreduce.training.run.trainer import Watch, watched
from detreduce.training.run.warm_up import warm_up
from detreduce.training.streams.infobatch import InfoBatch
from detreduce.training.streams.learnt import SkipLearnt
from detreduce.training.streams.stream import UNIFORM, Stream


@dataclass(frozen=True)
class DetectorTraining:
    """The settings of one training.

    Attributes
    ----------
    weights
        The argument of ``YOLO(...)``.
    arguments
        The checked arguments of ultralytics, including ``val`` and ``seed``.
    images_per_epoch
        Number of images in one epoch. None means all images of the training.
    stream
        The order of the images, and how often each image is used.
    sizes
        Image sizes that grow during the training. None means that all images have full size.
    skip
        The rules by which an epoch leaves out images during the training. None means that no image is left out. These
        rules cannot be combined with a stream or with `images_per_epoch`.
    phase
        Name of the energy phase.
    observers
        Name of an ultralytics event, such as ``on_fit_epoch_end`` -> a function that is called with the trainer. The
        energy of these calls is part of the phase.
    """

    weights: str
    arguments: Mapping[str, Any]
    images_per_epoch: int | None = None
    stream: Stream = UNIFORM
    sizes: ProgressiveSize | None = None
    skip: SkipLearnt | InfoBatch | None = None
    phase: str = "training"
    observers: Mapping[str, Callable[[Any], None]] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainedDetector:
    """A finished training: the `Watch` with counts and history, facts about the model, and ultralytics' messages."""

    watch: Watch
    model: ModelFacts
    messages: tuple[str, ...]


def run_training(training: DetectorTraining, run: RunFolder, meter: EnergyMeter) -> TrainedDetector:
    """Train a network in a run folder. Afterwards, the trained weights are in its subfolder ``weights``."""
    _check_together(training)
    plan = plan_stream(training.stream, run, meter)
    with offline_session() as messages:
        network = load_network(training.weights)
        watch = Watch(
            meter,
            validate=bool(training.arguments["val"]),
            messages=messages,
            feed=Feed(training.images_per_epoch, plan, training.sizes, training.skip),
        )
        for event, callback in [*watch.callbacks().items(), *training.observers.items()]:
            network.add_callback(event, callback)
        trainer_class = watched(network._smart_load("trainer"), watch)
        before = file_hash(training.weights) if network.ckpt else None
        # leave out arguments that are None, because ultralytics would use the settings stored in the weights file for
        # them
        given = {name: value for name, value in training.arguments.items() if value is not None}
        try:
            watch.prepare()
            warm_up(network, training.arguments.get("device"))
            with meter.measure(training.phase):
                network.train(trainer=trainer_class, data=str(run.data_yaml), save_dir=str(run.path), **given)
        except DetreduceError:
            raise
        except (RuntimeError, ValueError, SyntaxError, OSError) as error:
            raise explain_failure(error, run) from error
        finally:
            watch.close()
        kept = run.path / "weights" / ("best.pt" if watch.validate else "last.pt")
        if not watch.validate:
            # without validation, ultralytics saves every epoch as the best one
            (run.path / "weights" / "best.pt").unlink(missing_ok=True)
        facts = ModelFacts(
            name=Path(training.weights).name,
            task=network.task,
            parameters=sum(parameter.numel() for parameter in network.model.parameters()),
            weights_before=before,
            weights_after=weights_hash(load_network(str(kept)).model.state_dict()),
            weights_file=str(kept.relative_to(run.path)),
        )
        return TrainedDetector(watch, facts, tuple(messages))


def _check_together(training: DetectorTraining) -> None:
    """Raise InputError if the settings cannot be combined."""
    streamed = bool(training.images_per_epoch) or training.stream.by != "uniform"
    if training.arguments.get("rect") and (streamed or training.skip):
        raise InputError(
            "rect=True puts images of one shape into each batch, but a stream and images_per_epoch mix the images. "
            "Leave rect out."
        )
    if training.skip and streamed:
        raise InputError(
            "skip_learnt and infobatch choose the images of each epoch. Leave out the stream and images_per_epoch."
        )


def load_network(weights: str) -> Any:
    """Return ultralytics' ``YOLO`` for a weights file or a model description. Raise InputError if it cannot be read."""
    from ultralytics import YOLO

    try:
        return YOLO(weights)
    except Exception as error:
        raise InputError(f"{weights}: ultralytics cannot read this model ({type(error).__name__}: {error}).") from error


def explain_failure(error: Exception, run: RunFolder) -> Exception:
    """Return an error with a clear message in place of `error`, or `error` itself if it is unexpected.

    Errors about data or settings become InputError, and errors of the machine become DetreduceError.
    """
    text = " ".join(str(error).split())[:500]
    about_data = ("Dataset '", "No valid images", "No labels found", "dataset requires", "device=", "froze the entire")
    if "out of memory" in text or "not enough memory" in text:
        return DetreduceError(f"There is not enough memory for this training. Use a smaller batch= or imgsz=. {text}")
    # if the disk is full, torch raises a RuntimeError from its file writer
    if "inline_container" in text or (isinstance(error, OSError) and not isinstance(error, FileNotFoundError)):
        return DetreduceError(f"The training in {run.path} cannot continue: {text}")
    refused = isinstance(error, ValueError) and _raised_by_ultralytics(error)
    if refused or isinstance(error, (SyntaxError, FileNotFoundError)) or any(word in text for word in about_data):
        return InputError(f"Ultralytics cannot train on {run.source.source.typed}: {text}")
    return error


def _raised_by_ultralytics(error: Exception) -> bool:
    """Return whether the error was raised in ultralytics' own code, and not in a library that it called."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and str(frames[-1][0].f_globals.get("__name__", "")).startswith("ultralytics.")


@contextmanager
def cpu_threads() -> Iterator[int]:
    """Set the number of CPU threads of torch while the block runs, and yield this number.

    The environment variable ``OMP_NUM_THREADS`` sets the number. The default is 1, as in ultralytics. Ultralytics sets
    its default only if torch has not been imported before. Without this function, the time and energy of a training
    would therefore depend on earlier imports.
    """
    import torch

    former = torch.get_num_threads()
    wanted = os.environ.get("OMP_NUM_THREADS", "1").split(",")[0]
    torch.set_num_threads(int(wanted) if wanted.isdigit() and int(wanted) else 1)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(former)
