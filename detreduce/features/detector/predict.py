"""Predict boxes for the images of a dataset. Boxes that are stored are read, and the others are stored."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.predictions import PredictedBoxes, Predictions
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.views.predicted import PredictedDataset, as_given
from detreduce.dataset.writing.apart import check_cache_apart
from detreduce.display.progress import step
from detreduce.errors import ImageReadError, InputError
from detreduce.features.detector.network import COLUMNS, DetectorNetwork
from detreduce.features.detector.request import Detector
from detreduce.features.pixels.running import Running
from detreduce.images.alongside_job import run_alongside
from detreduce.images.batches import (
    Group,
    NetworkInput,
    Threads,
    computed_ahead,
    network_input,
    same_shape_batches,
    threads,
)
from detreduce.images.job import ImageJob, ImageVectors
from detreduce.images.store import DigestMemo, VectorStore
from detreduce.machine.cache_folder import cache_folder

if TYPE_CHECKING:
    import torch

MIRRORED = {"image": "mirrored"}
IMAGES_AT_RISK = 16
"""Boxes are written to disk after this number of images, or after a batch if it is larger."""


@dataclass(frozen=True)
class Prediction:
    """A request to predict the boxes of images.

    Attributes
    ----------
    detector
        The detector and its settings.
    mirrored
        Whether to also predict the boxes of the mirrored images.
    running
        Device, batch size and threads.
    cache
        The cache folder, in which boxes are stored.
    """

    detector: Detector
    mirrored: bool = False
    running: Running = field(default_factory=Running)
    cache: str | Path | None = None

    def without_boxes(self, dataset: DetectionDataset) -> PredictedDataset:
        """Return the dataset with the classes of the detector and without boxes, to check options before the slow work.

        Raise InputError if the weights cannot be read.
        """
        nothing: list[PredictedBoxes | None] = [None] * len(dataset)
        names = DetectorNetwork(self.detector).class_names
        mirrored = nothing if self.mirrored else None
        return PredictedDataset.of(dataset, Predictions(names, nothing, self.detector.name, mirrored=mirrored))

    def run(self, dataset: DetectionDataset) -> PredictedDataset:
        """Return the dataset with the predicted boxes of all images. `predict_boxes` describes the errors."""
        given = as_given(dataset)
        if not len(given):
            raise InputError(f"{given.source.typed} has no images to predict boxes for.")
        check_cache_apart(self.cache, given)
        with step("predicting boxes"):
            return PredictedDataset.of(given, _predict(self, [record.path.absolute() for record in given]))


def predict_boxes(
    dataset: DetectionDataset,
    detector: str | Path | Detector,
    *,
    mirrored: bool = False,
    batch: int | None = None,
    device: str | None = None,
    workers: int | None = None,
    cache: str | Path | None = None,
) -> PredictedDataset:
    """Return the images of a dataset with the boxes that a detector predicts, in place of labels.

    The result can be passed to `extract_features` and `select`. Its boxes are never written as labels: `write_subset`
    writes the labels of the original dataset, if it has any.

    Predicted boxes are stored on disk. The key depends on the content of the image, the weights and the settings. So a
    second run does not run the network, and an interrupted run continues where it stopped.

    Parameters
    ----------
    dataset
        A dataset from `load_dataset`. Its labels are not used.
    detector
        A weights file of a YOLO detector, or a `Detector` with other settings. Only pass weights that you trust,
        because loading weights can run code.
    mirrored
        Whether to also predict the boxes of the mirrored images. The method ``disagreement`` needs them.
    batch, device, workers, cache
        As in `extract_features`.

    Raises
    ------
    InputError
        A setting is not valid, or the weights are not of a plain detector.
    MissingFileError
        There is no such file of weights, and it cannot be downloaded.
    ImageReadError
        None of the images can be read.
    """
    wanted = Detector.of(detector)
    assert wanted is not None
    return Prediction(wanted, mirrored, Running(batch, device, workers), cache).run(dataset)


def store_keys(key: Mapping[str, Any], mirrored: bool) -> list[dict[str, Any]]:
    """Return the keys of the stores: of the boxes in the images, and of the boxes in the mirrored images if wanted."""
    return [dict(key), {**key, **MIRRORED}] if mirrored else [dict(key)]


def unpack(vectors: ImageVectors, width: int) -> list[PredictedBoxes | None]:
    """Return the boxes of each image. None if the image has no vector. `width` is the length of a vector."""
    return [_unpacked(vector) for vector in vectors.array(width)]


def _unpacked(vector: npt.NDArray[np.float32]) -> PredictedBoxes | None:
    """Return the boxes in a vector. None if the vector is NaN, because the detector did not see the image."""
    rows = vector.reshape(-1, COLUMNS).astype(np.float64)
    if np.isnan(rows).any():
        return None
    rows = rows[rows[:, 4] > 0]
    return PredictedBoxes(rows[:, :4], rows[:, 5].astype(np.int64), rows[:, 4], rows[:, 6])


def _predict(request: Prediction, paths: Sequence[Path]) -> Predictions:
    """Return the predicted boxes of the images at `paths`."""
    start = time.perf_counter()
    detector, running, folder = request.detector, request.running, cache_folder(request.cache)
    network, device = DetectorNetwork(detector), running.pick_device()
    key = {**detector.key, "forward": running.forward(device)}
    vectors = [
        ImageVectors(VectorStore(folder, one), np.arange(len(paths) + 1)) for one in store_keys(key, request.mirrored)
    ]
    batch = running.batch_size(device)
    with threads(device.type, running.workers) as pools:
        job: ImageJob[Any] = ImageJob(
            "Predicting boxes",
            paths,
            vectors,
            DigestMemo(folder),
            prepare=lambda row, data: network_input(data, detector.preprocess),
            compute=_Passes(network, device, batch, request.mirrored, pools),
            stop_at_failure=running.stop_at_failure,
            batch=max(batch, IMAGES_AT_RISK),
        )
        ahead = 2 * (batch + pools.count)
        if running.alongside is None:
            job.run(pools.decode, ahead)
        else:
            run_alongside(job, running.alongside, pools.decode, ahead)
    if len(job.failures) == len(paths):
        row, reason = min(job.failures.items())
        raise ImageReadError(f"None of {len(paths)} images could be read. First error: {paths[row]}: {reason}.")
    images, *mirrored = (unpack(part, detector.boxes * COLUMNS) for part in vectors)
    found = Predictions(
        network.class_names,
        images,
        detector.name,
        mirrored=mirrored[0] if mirrored else None,
        failures=dict(job.failures),
    )
    facts = {
        "device": str(device),
        "unreadable": len(job.failures),
        "from_cache": vectors[0].recalled,
        "predicted": job.computed,
        "store": str(vectors[0].store.folder),
        "seconds": round(time.perf_counter() - start, 3),
    }
    return replace(found, provenance={**_settings(request, key, found), **facts})


def _settings(request: Prediction, key: Mapping[str, Any], found: Predictions) -> dict[str, Any]:
    """Return the detector, its settings, its classes and the counts of boxes, for the provenance."""
    return {
        "detector": request.detector.name,
        "weights": str(request.detector.file),
        **{name: value for name, value in key.items() if name != "backbone"},
        "imgsz": int(request.detector.imgsz),
        "mirrored": request.mirrored,
        "classes": list(found.class_names),
        **found.counts,
    }


@dataclass(frozen=True)
class _Passes:
    """The `compute` function of an `ImageJob`: it passes the images, and mirrored images if wanted, through a network.

    `batch` is the number of images in each pass.
    """

    network: DetectorNetwork
    device: torch.device
    batch: int
    mirrored: bool
    pools: Threads

    def __call__(
        self, images: Iterator[tuple[int, NetworkInput]]
    ) -> Iterator[tuple[int, Sequence[npt.NDArray[np.float32]]]]:
        """Yield the row of each image with its boxes, and with the boxes of the mirrored image if wanted."""
        self.network.load(self.device)
        groups = same_shape_batches(images, self.batch)
        in_flight = self.pools.count + 1
        for group, made in computed_ahead(groups, self._boxes, self.pools.forward, in_flight):
            for place, (row, _) in enumerate(group):
                yield row, [part[place : place + 1] for part in made]

    def _boxes(self, group: Group) -> list[npt.NDArray[np.float32]]:
        """Return the boxes of a group of images, once for each pass."""
        items = [item for _, item in group]
        ways = (False, True) if self.mirrored else (False,)
        return [self.network.predict(items, self.batch, self.device, mirror=mirror) for mirror in ways]
