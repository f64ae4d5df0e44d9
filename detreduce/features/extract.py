"""extract_features: compute the FeatureTable of a dataset."""

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

    Vectors are stored on disk. The key of a vector depends on the content of the image, its boxes, the backbone
    (weights and preprocessing) and the precision. Therefore, a second run reads the stored vectors and does not open
    the images, and an interrupted run continues where it stopped. A run on a subset or superset of the images uses the
    same stored vectors. If labels change, only the vectors of the changed images are computed again.

    Parameters
    ----------
    dataset
        A dataset from `load_dataset`.
    backbone
        The network that computes the vectors. This can be ``efficientnet-lite0``, ``yolo:<weights.pt>``,
        ``torchvision:<name>[@state.pt]`` or a `Backbone`. To use your own vectors, pass ``file:<vectors.npy or .csv>``.
    blocks
        Names of the blocks to extract. A block is a group of features that come from one source:

        - ``image``: the backbone's feature map, average-pooled over the image.
        - ``objects``: the same map, pooled inside each box by RoI-align. The row of an image is a weighted mean over
          its classes (see `objects_block`). The attribute `objects` of the table has the vector of each class in each
          image.
        - ``annotations``: features of the boxes alone (see `annotation_features`).
        - ``dynamics`` (see `dynamics_block`) and ``gradients`` (see `gradient_block`): both need `proxy`. Both are left
          out of the table's `X`, and are extracted only if `blocks` names them.

        By default, ``image``, ``objects`` and ``annotations`` are extracted if possible. A dataset without labels only
        has ``image``. If the vectors come from a file, ``objects`` is not possible.
    imgsz
        Input size in pixels, a multiple of 32. The default depends on the backbone (efficientnet-lite0: 224, yolo:
        640).
    batch
        Number of images in one forward pass on a GPU, by default 64. A CPU always computes one image at a time.
    device
        Name of a torch device. The default is ``cuda`` if a GPU is available, otherwise ``cpu``.
    precision
        ``float32``, ``bfloat16`` or ``auto``. ``auto`` uses bfloat16 if the device supports it natively and if, for
        some test images, the features differ from float32 features by at most 1e-2.
    unreadable
        What to do with truncated, damaged or missing images. ``skip`` leaves such images out, warns, and lists them in
        the table's ``problems``. ``raise`` raises ImageReadError at the first such image.
    cache
        Folder in which the vectors are stored. The default is ``$DETREDUCE_CACHE`` or, if it is not set, the user's
        cache folder.
    workers
        Number of threads that read and decode images. The default is one per core, but at most 16.
    proxy
        Log of a proxy training (a short training of a small detector), made by `log_proxy_training`. An image that is
        not in the log gets its scores from the 10 most similar images in the log: the mean of their scores per box. A
        sum over boxes is this mean times the number of boxes. The other blocks define which images are similar.
        Therefore, if images are missing from the log, request at least one other block.

    Returns
    -------
    FeatureTable
        A table with one row for each image that could be read, in the order of the dataset. If a block needs boxes and
        they are given in pixels, images whose size cannot be read are left out too.

    Raises
    ------
    InputError
        A backbone, block or option does not exist or does not fit the dataset.
    MissingFileError
        A file with weights or vectors is missing. The message names the file and the folder where it must be.
    ImageReadError
        An image cannot be read and ``unreadable="raise"``, or none of the images can be read.
    """
    return Extraction(backbone, blocks, imgsz, batch, device, precision, unreadable, cache, workers, proxy).run(dataset)
