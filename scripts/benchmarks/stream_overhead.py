"""Measure which share of the CPU seconds of a training is spent in the code of a stream.

    python scripts/benchmarks/stream_overhead.py DATA [--model yolov8n.yaml --imgsz 320 --images 64 --epochs 2]

The stream and the training are measured in the same run, so other programs on the machine affect both alike. The code
of a stream draws the images, puts them into batches, remembers recent images, and draws the partners for mosaic.
Without a stream, ultralytics would do similar work. This work is not subtracted, so the share is an upper bound. The
weights are computed once before the training, so their time is shown separately. The loader runs in the main process,
so that all of its work is counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from detreduce.training.energy import EnergyMeter
from detreduce.training.run import detector_training
from detreduce.training.run.arguments import check_arguments
from detreduce.training.run.detector_training import DetectorTraining, cpu_threads, run_training
from detreduce.training.run.folder import make_run_folder
from detreduce.training.run.model import find_model
from detreduce.training.run.reading.batch_stream import BatchStream
from detreduce.training.streams import resolve as _loaded_before_the_clock_starts  # noqa: F401
from detreduce.training.streams.partners import Partners, RecentImages
from detreduce.training.streams.stream import Stream


@dataclass
class Spent:
    """The CPU seconds that a training with a stream took.

    Attributes
    ----------
    own
        Name of a part of the stream -> CPU seconds that the thread spent in this part.
    weighing
        The CPU seconds that computing the weights took.
    training
        The CPU seconds of all threads, from the first batch to the end of the training.
    images
        The number of images that the training saw.
    """

    own: dict[str, float] = field(default_factory=dict)
    weighing: float = 0.0
    training: float = 0.0
    images: int = 0

    @property
    def share(self) -> float:
        """The share of the CPU seconds of the training that was spent in the code of the stream."""
        return sum(self.own.values()) / self.training

    @contextmanager
    def counted(self, part: str) -> Iterator[None]:
        """Add the CPU seconds of the `with` block to a part of the stream."""
        start = time.thread_time()
        try:
            yield
        finally:
            self.own[part] = self.own.get(part, 0.0) + time.thread_time() - start

    def in_words(self) -> str:
        """Return the result as two sentences."""
        parts = ", ".join(f"{part} {seconds:.4f}" for part, seconds in self.own.items())
        return (
            f"{self.share:.3%} of the training: {sum(self.own.values()):.4f} of {self.training:.1f} CPU seconds for "
            f"{self.images} images ({parts}). The weights took {self.weighing:.3f} CPU seconds."
        )


def measure(data: Path, stream: Stream, model: str, per_epoch: int, **arguments: Any) -> Spent:
    """Train a model with a stream, and return the CPU seconds that were spent.

    `per_epoch` is the number of images in an epoch. `arguments` are arguments of ultralytics.
    """
    spent = Spent()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        _count_calls(spent, stack)
        run = make_run_folder(data, Path(folder) / "run", label="run")
        start: list[float] = []
        observers = {
            "on_train_epoch_start": lambda trainer: start or start.append(time.process_time()),
            "on_train_end": lambda trainer: setattr(spent, "training", time.process_time() - start[0]),
        }
        given = {**check_arguments({**arguments, "workers": 0}), "seed": 0, "val": False}
        training = DetectorTraining(find_model(model), given, per_epoch, stream, observers=observers)
        with cpu_threads():
            done = run_training(training, run, EnergyMeter())
        spent.images = done.watch.counts.images_seen
    return spent


def _count_calls(spent: Spent, stack: ExitStack) -> None:
    """Add the CPU seconds of the stream's functions to `spent`, until `stack` is closed."""
    plan = detector_training.plan_stream

    def weighed(*given: Any) -> Any:
        start = time.process_time()
        found = plan(*given)
        spent.weighing = time.process_time() - start
        return found

    def batches(of: Callable[[Any], Iterator[list[int]]]) -> Callable[[Any], Iterator[list[int]]]:
        def listed(self: Any) -> Iterator[list[int]]:
            drawn = of(self)
            while True:
                with spent.counted("draws and batches"):
                    batch = next(drawn, None)
                if batch is None:
                    return
                yield batch

        return listed

    def counted(part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any) -> Any:
            with spent.counted(part):
                return method(*given)

        return called

    stack.enter_context(mock.patch.object(detector_training, "plan_stream", weighed))
    stack.enter_context(mock.patch.object(BatchStream, "__iter__", batches(BatchStream.__iter__)))
    remember = counted("partners", RecentImages.remember)
    stack.enter_context(mock.patch.object(RecentImages, "remember", remember))
    stack.enter_context(mock.patch.object(Partners, "__call__", counted("partners", Partners.__call__)))


def main() -> None:
    """Read the command line, train, and print the share that is spent in the stream."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--stream", default="class_uniform")
    parser.add_argument("--model", default="yolov8n.yaml")
    parser.add_argument("--imgsz", type=int, default=320)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--freeze", type=int, default=0)
    parser.add_argument("--images", type=int, default=64, help="images in an epoch")
    parser.add_argument("--epochs", type=int, default=2)
    given = parser.parse_args()
    options = {"imgsz": given.imgsz, "batch": given.batch, "epochs": given.epochs, "close_mosaic": 0}
    options |= {"freeze": given.freeze} if given.freeze else {}
    found = measure(given.data, Stream.of(given.stream), given.model, given.images, **options)
    print(f"{given.stream}: {found.in_words()}")


if __name__ == "__main__":
    main()
