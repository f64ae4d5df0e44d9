"""Read the predicted boxes of a selection from the cache. The weights that the selection names are never loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from detreduce.arrays.predictions import Predictions
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.dataset.views.predicted import PredictedDataset
from detreduce.errors import InputError
from detreduce.features.detector.network import COLUMNS
from detreduce.features.detector.predict import unpack
from detreduce.images.job import ImageVectors
from detreduce.images.store import DigestMemo, VectorStore
from detreduce.machine.cache_folder import cache_folder
from detreduce.machine.hashes import Digest

_KEY = ("prediction", "preprocessing", "weights_sha256", "confidence", "overlap", "most_boxes", "forward")


def stored_predictions(
    dataset: DetectionDataset,
    made: Mapping[str, Any],
    cache: str | Path | None = None,
    wanted: frozenset[ImageId] | None = None,
) -> PredictedDataset:
    """Return a dataset with the predicted boxes that the cache contains. No network is run.

    Parameters
    ----------
    dataset
        The dataset from which the selection was made.
    made
        How the boxes were predicted: ``provenance["detector"]`` of the selection. This may come from an untrusted file,
        so stores are read only below the cache folder, and no weights are opened.
    cache
        The cache folder. The default is the folder that the selection used, if it still exists, otherwise the user's
        cache folder.
    wanted
        The ids of the images that must have a prediction. The default is None: none of them must.

    Raises
    ------
    InputError
        The cache does not have the boxes of a `wanted` image, or of any image.
    """
    folder = _used_folder(made, cache)
    key = {"backbone": "detector", **{name: made.get(name) for name in _KEY}}
    most, names = made.get("most_boxes"), made.get("classes")
    if not isinstance(most, int) or not isinstance(names, list):
        raise InputError("The selection does not say how its boxes were predicted. Choose the images again.")
    vectors = ImageVectors(VectorStore(folder, key, most * COLUMNS), np.arange(len(dataset) + 1))
    memo = DigestMemo(folder)
    digests: dict[int, Digest] = {}
    failures: dict[int, str] = {}
    for row, record in enumerate(dataset):
        try:
            digests[row] = memo.read(record.path.absolute())
        except OSError as error:
            failures[row] = error.strerror or str(error)
    vectors.recall(digests)
    found = unpack(vectors, most * COLUMNS)
    lost = [record.id for record, boxes in zip(dataset, found, strict=True) if boxes is None]
    if len(lost) == len(dataset) or (wanted is not None and not wanted.isdisjoint(lost)):
        raise InputError(
            f"The boxes that {made.get('detector')} predicted are not in the cache {folder}, and weights that a "
            "selection names are not loaded. Name the weights (--detector), or the cache that was used (--cache)."
        )
    classes = tuple(map(str, names))
    for boxes in found:
        if boxes is not None and len(boxes) and not 0 <= boxes.classes.min() <= boxes.classes.max() < len(classes):
            raise InputError("The selection was edited: it has fewer classes than the boxes that were predicted.")
    return PredictedDataset.of(
        dataset, Predictions(classes, found, str(made.get("detector")), dict(made), failures=failures)
    )


def _used_folder(made: Mapping[str, Any], cache: str | Path | None) -> Path:
    """Return the cache folder to read from."""
    if cache is None and "store" in made:
        used = Path(str(made["store"]))
        if used.is_absolute() and used.parent.name == "features" and used.is_dir():
            return used.parents[1]
    return cache_folder(cache)
