"""The block `gradients`: for each image, the gradient of the loss in the last layers of a detector's head."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset
from detreduce.errors import ImageReadError
from detreduce.features.pixels.image_block import ImageBlock
from detreduce.features.proxy.head_gradients import LAYERS, GradientOptions, HeadGradients
from detreduce.images.batches import NetworkInput, network_input, same_shape_batches, threads
from detreduce.images.decode import RGB, Preprocess
from detreduce.images.job import ImageJob, ImageVectors
from detreduce.images.store import DigestMemo, VectorStore
from detreduce.machine.hashes import Digest, content_digest, file_hash

BOXES = "in the frame of the decoded picture"
"""How boxes are placed in the network's input. This text is part of the cache key."""


def gradient_block(dataset: DetectionDataset, weights: Path, folder: Path, options: GradientOptions) -> ImageBlock:
    """Compute the gradient of the detection loss for each image, unless it is already in the cache folder `folder`.

    The loss is ultralytics' loss of a single image: the sum of the box, class and distance parts. The parts are
    weighted as in the training that produced the weights. The network is in eval mode.

    The gradient is the derivative with respect to the weights and biases of the last convolutions of the head. There is
    one such convolution for each branch and level. YOLO26 has two heads. The head that predicts by default is used.

    A sparse random projection (Li, Hastie and Church 2006) reduces the gradient to `dimensions` columns. The projection
    is the same for every image and preserves inner products on average. A reduced gradient takes 2 KiB.

    Returns
    -------
    ImageBlock
        Its `vectors` are (n, 512) float32. The row of an image that could not be read is NaN.

    Raises
    ------
    InputError
        The weights have a different number of classes than the dataset, or do not belong to a plain detector.
    """
    start = time.perf_counter()
    device = options.running.pick_device()
    detector = HeadGradients(weights, len(dataset.class_names), device, options)
    preprocess = Preprocess(options.imgsz, "letterbox")
    key = {
        "backbone": "gradients",
        "layers": LAYERS,
        "boxes": BOXES,
        "preprocessing": preprocess.key,
        "weights_sha256": file_hash(weights),
        "dimensions": options.dimensions,
        "seed": options.seed,
        "forward": options.running.forward(device),
    }
    labels = _Labels(dataset)
    vectors = ImageVectors(VectorStore(folder, key), np.arange(len(dataset) + 1), labels.key)
    batch = options.running.batch_size(device)

    def prepare(row: int, data: bytes | RGB) -> NetworkInput:
        """Return the network input of an image whose labels are valid."""
        item = network_input(data, preprocess)
        labels.check(row)
        return item

    def compute(images: Iterator[tuple[int, NetworkInput]]) -> Iterator[tuple[int, Sequence[npt.NDArray[np.float32]]]]:
        """Yield the gradient vectors of the images, in batches of images with the same shape."""
        for group in same_shape_batches(images, batch):
            made = detector.vectors([item for _, item in group], [labels.of(row) for row, _ in group])
            yield from ((row, [vector[None]]) for (row, _), vector in zip(group, made, strict=True))

    job = ImageJob(
        "Gradients",
        [record.path.absolute() for record in dataset],
        [vectors],
        DigestMemo(folder),
        prepare,
        compute,
        options.running.stop_at_failure,
        batch,
    )
    with threads(device.type, options.running.workers) as pools:
        job.run(pools.decode, ahead=batch + 2 * pools.count)
    provenance = {
        **{name: value for name, value in key.items() if name != "backbone"},
        "weights": str(weights),
        "imgsz": options.imgsz,
        "device": str(device),
        "dimension": vectors.width,
        "images": len(dataset),
        "from_cache": vectors.recalled,
        "embedded": vectors.computed,
        "unreadable": len(job.failures),
        "seconds": round(time.perf_counter() - start, 3),
    }
    return ImageBlock(vectors.array(), None, job.failures, {"gradients": provenance})


class _Labels:
    """The boxes and class numbers of each image, without crowd regions."""

    def __init__(self, dataset: DetectionDataset) -> None:
        single = ~dataset.box_crowd
        self._boxes, self._classes = dataset.boxes_xyxyn[single], dataset.box_classes[single]
        self._starts = np.searchsorted(dataset.box_rows[single], np.arange(len(dataset) + 1))

    def of(self, row: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Return the corners of an image's boxes, as fractions of the image, and the class numbers of the boxes."""
        inside = slice(self._starts[row], self._starts[row + 1])
        return self._boxes[inside], self._classes[inside]

    def key(self, row: int, image: Digest) -> Digest:
        """Return the key under which an image's gradient is stored: a digest of the image's content and its labels."""
        boxes, classes = self.of(row)
        return content_digest(image + boxes.astype("<f8").tobytes() + classes.astype("<i8").tobytes())

    def check(self, row: int) -> None:
        """Raise ImageReadError if the boxes are in pixels and the size of the image is unknown."""
        if not np.isfinite(self.of(row)[0]).all():
            raise ImageReadError("the boxes are in pixels and the size of the image cannot be read")
