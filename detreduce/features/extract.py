"""extract_features: turn a dataset into a FeatureTable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from detreduce.dataset.records import DetectionDataset
from detreduce.features.backbones import Backbone
from detreduce.features.pixels.precision import Precision
from detreduce.features.request import BACKBONE, Extraction
from detreduce.features.table import FeatureTable


def extract_features(
    dataset: DetectionDataset,
    backbone: str | Backbone = BACKBONE,
    blocks: Sequence[str] | None = None,
    *,
    imgsz: int | None = None,
    batch: int | None = None,
    device: str | None = None,
    precision: Precision = "auto",
    unreadable: Literal["skip", "raise"] = "skip",
    cache: str | Path | None = None,
    workers: int | None = None,
    proxy: str | Path | None = None,
) -> FeatureTable:
    """Describe every image of a dataset by numbers.

    Vectors are kept on disk. Their key is the content of the image and of its boxes, the backbone with its weights and
    preprocessing, and the precision. A second run reads them back and opens no image. A killed run continues where it
    stopped. A subset or superset of the images shares what is kept. When labels change, only their images are computed
    again.

    Parameters
    ----------
    dataset
        Of `load_dataset`.
    backbone
        ``efficientnet-lite0``; ``yolo:<weights.pt>``; ``torchvision:<name>[@state.pt]``;
        ``file:<vectors.npy or .csv>`` for vectors of your own; or a `Backbone`.
    blocks
        ``image`` (the backbone's feature map, average-pooled), ``objects`` (the same map pooled inside each box by
        RoI-align; see `objects_block` for the row of an image, and the table's `objects` for the vector of each class
        in each image) and ``annotations`` (the boxes alone, see `annotation_features`). Default: all possible ones:
        ``image`` alone for an unlabelled dataset, all but ``objects`` for vectors of your own. With `proxy` also
        ``dynamics`` (see `dynamics_block`) and ``gradients`` (see `gradient_block`). Those two are not part of the
        table's X and are made only if named.
    imgsz
        Input size in pixels, a multiple of 32; default the backbone's own (efficientnet-lite0: 224, yolo: 640).
    batch
        Images in one forward pass; default at most 16 on a CPU, fewer for large `imgsz`, and 64 on a GPU.
    device
        Name of a torch device; default ``cuda`` if there is one, else ``cpu``.
    precision
        ``float32``, ``bfloat16`` or ``auto``. ``auto`` takes bfloat16 if the device computes it natively and the
        features of whole images differ from those in float32 by at most 1e-2.
    unreadable
        What to do with truncated, damaged or missing images: ``skip`` leaves them out, warns and lists them in the
        table's ``problems``; ``raise`` raises ImageReadError at the first.
    cache
        Folder to keep vectors in; default ``$DETREDUCE_CACHE``, else the user's cache folder.
    workers
        Threads that read and decode images; default one per core, at most 8 on a CPU and 16 with a GPU.
    proxy
        Log of a proxy training, made by `log_proxy_training`. An image that it lacks gets the mean score per box of its
        10 nearest neighbours; a sum is that mean times the number of its own boxes. The other blocks say which images
        are near, so name at least one of them if the log lacks images.

    Returns
    -------
    FeatureTable
        One row for each image that could be read, in the dataset's order. If a block depends on the boxes, images whose
        boxes are in pixels and whose size cannot be read are left out too.

    Raises
    ------
    InputError
        A backbone, block or option does not exist or does not fit the dataset.
    MissingFileError
        Weights or vectors are missing; the message says which file to put where.
    ImageReadError
        An image is unreadable with ``unreadable="raise"``, or no image is readable.
    """
    return Extraction(backbone, blocks, imgsz, batch, device, precision, unreadable, cache, workers, proxy).run(dataset)
