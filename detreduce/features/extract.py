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
    """Compute features for every image of a dataset.

    Vectors are stored on disk. The key of a vector is the content of the image and of its boxes, the backbone with its
    weights and preprocessing, and the precision. A second run reads the stored vectors and does not open the images. A
    run that was stopped continues where it stopped. A run on a subset or superset of the images uses the same stored
    vectors. If labels change, only the vectors of the changed images are computed again.

    Parameters
    ----------
    dataset
        A dataset from `load_dataset`.
    backbone
        The network that computes the vectors: ``efficientnet-lite0``, ``yolo:<weights.pt>``,
        ``torchvision:<name>[@state.pt]`` or a `Backbone`. ``file:<vectors.npy or .csv>`` reads your own vectors.
    blocks
        Names of the blocks to extract. A block is a group of features that come from one source:

        - ``image``: the backbone's feature map, average-pooled over the image.
        - ``objects``: the same map, pooled inside each box by RoI-align. The row of an image is a weighted mean over
          its classes (see `objects_block`). The table's `objects` has the vector of each class in each image.
        - ``annotations``: features of the boxes alone (see `annotation_features`).
        - ``dynamics`` (see `dynamics_block`) and ``gradients`` (see `gradient_block`): both need `proxy`. They are not
          part of the table's X, and are extracted only if `blocks` names them.

        By default, ``image``, ``objects`` and ``annotations`` are extracted if they are possible. Without labels, only
        ``image`` is possible. With vectors from a file, ``objects`` is not possible.
    imgsz
        Input size in pixels, a multiple of 32. The default depends on the backbone (efficientnet-lite0: 224, yolo:
        640).
    batch
        Images in one forward pass on a GPU, by default 64. A CPU computes one image at a time.
    device
        Name of a torch device. By default ``cuda`` if a GPU is available, else ``cpu``.
    precision
        ``float32``, ``bfloat16`` or ``auto``. ``auto`` uses bfloat16 if the device computes it natively and the
        features of whole images differ from float32 features by at most 1e-2.
    unreadable
        What to do with truncated, damaged or missing images. ``skip`` leaves such images out, warns, and lists them in
        the table's ``problems``. ``raise`` raises ImageReadError at the first such image.
    cache
        Folder for stored vectors. By default ``$DETREDUCE_CACHE``, else the user's cache folder.
    workers
        Number of threads that read and decode images. By default one per core, but at most 16.
    proxy
        Log of a proxy training (a short training of a small detector), made by `log_proxy_training`. An image that is
        not in the log gets the mean score per box of its 10 nearest neighbours in the log. A summed score is this
        mean times the number of boxes in the image. The neighbours are found with the other blocks, so name at least
        one other block if images are missing from the log.

    Returns
    -------
    FeatureTable
        One row for each image that could be read, in the dataset's order. An image is also left out if a block needs
        its boxes, the boxes are in pixels, and the size of the image cannot be read.

    Raises
    ------
    InputError
        A backbone, block or option does not exist or does not fit the dataset.
    MissingFileError
        A file with weights or vectors is missing. The message names the file and the place where it must be.
    ImageReadError
        An image cannot be read and ``unreadable="raise"``, or none of the images can be read.
    """
    return Extraction(backbone, blocks, imgsz, batch, device, precision, unreadable, cache, workers, proxy).run(dataset)
