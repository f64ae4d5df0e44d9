"""Ultralytics' trainer, extended by counters, a progress line and optional validation."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.display.progress import prints_plain_lines, progress, step
from detreduce.errors import InputError
from detreduce.training.energy import EnergyMeter
from detreduce.training.progressive_size import resized
from detreduce.training.record import Counts
from detreduce.training.run.feed import Feed
from detreduce.training.run.image_losses import WeightedLoss
from detreduce.training.run.image_scores import score_images
from detreduce.training.run.reading.batch_stream import BatchStream
from detreduce.training.streams.chosen_epochs import ChosenEpochs
from detreduce.training.streams.draw import WeightedDraws
from detreduce.training.streams.infobatch import InfoBatch, InfoBatchEpochs
from detreduce.training.streams.learnt import SkippingStream, whole_epochs
from detreduce.training.streams.partners import draw_partners_from_stream

# seconds between two printed progress lines if stderr is not a terminal
LINE_SECONDS = 60.0


class Watch:
    """The counts, the history and the progress line of one training.

    Trainers of the class that `watched` returns report to a `Watch`. `feed` determines which images the network sees.
    """

    def __init__(
        self,
        meter: EnergyMeter,
        *,
        validate: bool,
        messages: list[str],
        feed: Feed | None = None,
    ) -> None:
        self.meter = meter
        self.validate = validate
        self.messages = messages
        self.feed = feed or Feed()
        self.images_scored = 0
        self._work = 0.0
        self.optimiser_steps = self.batches = self.images_seen = self.epochs = 0
        self.history: list[dict[str, float | None]] = []
        self.trainer: Any = None
        self.image_files: list[str] = []
        self._batch_images = self._first_batch = 0
        self._epoch_start = self._start = self._last_line = 0.0
        self._advance: Callable[..., None] = lambda *args, **kwargs: None
        self._stack = ExitStack()

    @property
    def counts(self) -> Counts:
        """The amount of work that has been done so far."""
        return Counts(
            optimiser_steps=self.optimiser_steps,
            batches=self.batches,
            images_seen=self.images_seen,
            epochs=self.epochs,
            images_scored=self.images_scored,
        )

    def callbacks(self) -> dict[str, Callable[[Any], None]]:
        """Return the callbacks to register in ultralytics, by the names of their events."""
        return {
            "on_train_start": self._started,
            "on_train_epoch_start": self._epoch_started,
            "on_train_batch_end": self._batch_ended,
            "on_fit_epoch_end": self._epoch_ended,
        }

    def prepare(self) -> None:
        """Show a progress line until the training starts."""
        self._stack.enter_context(step("preparing the training"))

    def close(self) -> None:
        """Remove the progress line."""
        self._stack.close()

    @property
    def relative_cost(self) -> float:
        """Mean number of operations for an image so far, divided by the number for an image of full size.

        The result is 1 if all images have full size.
        """
        return self._work / self.images_seen if self.images_seen and self.feed.sizes else 1.0

    def batch_made(self, images: int, work: float = 1.0) -> None:
        """Report the number of images in the next batch.

        `work` is the number of operations for one of these images, divided by the number for an image of full size.
        """
        self._batch_images = images
        self._work += images * work

    def share_done(self) -> float:
        """Return the share of the training that is done. All epochs count equally, even if they differ in length."""
        within = (self.batches - self._first_batch) / len(self.trainer.train_loader)
        return (self.trainer.epoch + within) / self.trainer.epochs

    @property
    def _total(self) -> int:
        return (self.feed.images_per_epoch or len(self.image_files)) * self.trainer.epochs

    def say(self, note: str) -> None:
        """Show a note in the progress line."""
        self._advance(0, note=note)

    def _started(self, trainer: Any) -> None:
        refused = [line for line in self.messages if "exceeds dataset class count" in line]
        if refused:
            raise InputError(f"{refused[0].split('ignoring corrupt image/label: ')[-1]} ({refused[0].split(': ')[1]})")
        trainer.optimizer.register_step_post_hook(self._stepped)
        # these are the files without the corrupt images, which ultralytics skips
        self.image_files = [str(file) for file in trainer.train_loader.dataset.im_files]
        if isinstance(trainer.stream, InfoBatchEpochs):
            weigh_images(trainer, trainer.stream, self.image_files)
        self._start = self._last_line = time.monotonic()
        self.close()
        self._advance = self._stack.enter_context(progress("training", self._total, "images"))

    def _stepped(self, *_: Any) -> None:
        self.optimiser_steps += 1

    def _epoch_started(self, trainer: Any) -> None:
        self._epoch_start = time.perf_counter()
        self._first_batch = self.batches
        if isinstance(trainer.stream, ChosenEpochs):
            self._choose_images(trainer, trainer.stream)

    def _choose_images(self, trainer: Any, stream: ChosenEpochs) -> None:
        """Tell the stream which epoch is running. If its images are chosen again, restart the loader.

        To skip learnt images, first measure again which images the detector has learnt.
        """
        former = stream.images_of(stream.running)
        stream.running = trainer.epoch
        if not stream.is_chosen_again(trainer.epoch):
            return
        if isinstance(stream, SkippingStream):
            self.say(f"epoch {trainer.epoch + 1}/{trainer.epochs}: looking for learnt images")
            stream.refresh(score_images(trainer))
            self.images_scored += stream.images
        else:
            stream.choose_again()
        _restart_loader(trainer.train_loader, former)

    def _batch_ended(self, trainer: Any) -> None:
        self.batches += 1
        self.images_seen += self._batch_images
        loss = sum(float(value) for value in trainer.tloss.values())
        note = f"epoch {trainer.epoch + 1}/{trainer.epochs} loss {loss:.3f}"
        self._advance(self._batch_images, note=note)
        now = time.monotonic()
        if now - self._last_line >= LINE_SECONDS and not (sys.stderr.isatty() or prints_plain_lines()):
            self._last_line = now
            left = (now - self._start) * max(0, self._total - self.images_seen) / max(1, self.images_seen)
            print(f"training: {note}, about {left / 60:.0f} min left", file=sys.stderr, flush=True)

    def _epoch_ended(self, trainer: Any) -> None:
        self.epochs += 1
        row: dict[str, float | None] = {"epoch": trainer.epoch + 1}
        row |= {key: float(value) for key, value in trainer.label_loss_items(trainer.tloss).items()}
        if self.validate:
            row |= {key: float(value) for key, value in trainer.metrics.items()}
        row |= {key: float(value) for key, value in trainer.lr.items()}
        row["seconds"] = time.perf_counter() - self._epoch_start
        self.history.append(row)


class _WatchedTrainer:
    """A mixin for ultralytics' trainer classes, such as the trainer of detectors. Every instance reports to `watch`."""

    watch: Watch
    stream: BatchStream | ChosenEpochs | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watch.trainer = self

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        """Build the model without printing its table of layers, because the table would require a count of FLOPs."""
        return super().get_model(cfg=cfg, weights=weights, verbose=False)  # type: ignore[misc]

    def get_dataloader(self, dataset_path: Any, batch_size: int = 16, rank: int = 0, mode: str = "train") -> Any:
        """Return ultralytics' loader. If there is a stream, the training loader takes its batches from the stream."""
        loader = super().get_dataloader(dataset_path, batch_size, rank, mode)  # type: ignore[misc]
        if mode == "train" and not self.watch.feed.is_own_loader:
            self.stream = self._make_stream(loader.dataset, batch_size)
            # ultralytics' loader repeats this sampler forever, and takes the length of an epoch from it
            loader.batch_sampler.sampler = self.stream
        return loader

    def _make_stream(self, dataset: Any, batch_size: int) -> BatchStream | ChosenEpochs:
        """Create the sampler that yields the batches of the training.

        If the stream is not uniform, the other images in a mosaic image are drawn from the stream too.
        """
        feed, seed = self.watch.feed, self.args.seed  # type: ignore[attr-defined]
        if isinstance(feed.skip, InfoBatch):
            return InfoBatchEpochs(len(dataset), batch_size, self.epochs, feed.skip, seed)  # type: ignore[attr-defined]
        if feed.skip is not None:
            return SkippingStream(len(dataset), batch_size, self._whole_epochs(), feed.skip, seed)
        per_epoch = feed.images_per_epoch or len(dataset)
        if feed.plan is None:
            return BatchStream(WeightedDraws(np.ones(len(dataset)), seed), per_epoch, batch_size)
        draw_partners_from_stream(dataset)
        total = per_epoch * self.epochs  # type: ignore[attr-defined]
        return BatchStream(feed.plan.draws(dataset.im_files, total, seed), per_epoch, batch_size)

    def _whole_epochs(self) -> set[int]:
        """Return the epochs in which no image is left out."""
        args = self.args  # type: ignore[attr-defined]
        return whole_epochs(self.epochs, args.warmup_epochs, args.close_mosaic)  # type: ignore[attr-defined]

    def _close_dataloader_mosaic(self) -> None:
        """Turn off mosaic images as ultralytics does, and set the stream back to the current epoch.

        Ultralytics restarts the loader here. The workers of the loader have already fetched batches of later epochs,
        which are not used.
        """
        if self.stream is not None:
            self.stream.epoch = self.epoch  # type: ignore[attr-defined]
        super()._close_dataloader_mosaic()  # type: ignore[misc]

    def preprocess_batch(self, batch: Any) -> Any:
        """Preprocess the batch as ultralytics does, resize it to the size for this step, and count its images."""
        batch = super().preprocess_batch(batch)  # type: ignore[misc]
        watch, images = self.watch, batch["img"]
        if watch.feed.sizes is not None:
            full = self.args.imgsz  # type: ignore[attr-defined]
            batch["img"] = resized(images, watch.feed.sizes.size(watch.share_done(), full), full)
        watch.batch_made(len(images), batch["img"][0, 0].numel() / images[0, 0].numel())
        return batch

    def validate(self) -> tuple[Any, Any]:
        """Validate as ultralytics does, as a separate energy phase. If validation is not requested, do nothing."""
        if not self.watch.validate:
            # after an epoch without validation, ultralytics returns its last metrics
            return self.metrics, None  # type: ignore[has-type]
        with self.watch.meter.measure("validation"):
            self.metrics, self.fitness = super().validate()  # type: ignore[misc]
        return self.metrics, self.fitness

    def final_eval(self) -> None:
        """Remove the optimiser from the weights files, without an evaluation.

        Ultralytics evaluates here. Detreduce evaluates later, in a separate phase.
        """
        from ultralytics.utils.torch_utils import strip_optimizer

        for weights in (self.last, self.best):  # type: ignore[attr-defined]
            if weights.exists():
                strip_optimizer(weights)


def weigh_images(trainer: Any, stream: InfoBatchEpochs, files: Sequence[str]) -> None:
    """Weigh each image in the loss of a trainer as its stream says, and report the loss of each image to the stream.

    `files` are the image files of the trainer, in the order of its dataset.
    """
    from ultralytics.utils.torch_utils import unwrap_model

    row = {file: number for number, file in enumerate(files)}

    def weights(batch: Sequence[str]) -> npt.NDArray[np.float64]:
        return stream.weights()[[row[str(file)] for file in batch]]

    def report(batch: Sequence[str], losses: list[float]) -> None:
        stream.record([row[str(file)] for file in batch], losses)

    model: Any = unwrap_model(trainer.model)
    model.criterion = WeightedLoss(model.init_criterion(), weights, report)


def _restart_loader(loader: Any, former: npt.NDArray[np.int64]) -> None:
    """Restart a loader that has fetched batches of the wrong images in advance.

    Ultralytics takes the partners of a mosaic image from a buffer of recent images. New workers begin with an empty
    buffer, so that the first mosaic images would show one image four times. They get the last images of the `former`
    epoch instead. Without workers, the buffer is still there.
    """
    loader.reset()
    dataset = loader.dataset
    if not dataset.buffer:
        dataset.buffer = former[-max(1, dataset.max_buffer_length) :].tolist()


def watched(base: type, watch: Watch) -> type:
    """Return a subclass of the trainer class `base` whose instances report to `watch`."""
    return type("WatchedTrainer", (_WatchedTrainer, base), {"watch": watch})
