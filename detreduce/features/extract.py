"""extract_features: a dataset in, a FeatureTable out, with everything that can be kept read back from disk."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset, Problem
from detreduce.errors import ImageReadError, InputError, nearest
from detreduce.features.annotations import annotation_columns, annotation_features
from detreduce.features.backbones import Backbone, make_backbone
from detreduce.features.image_block import EmbeddingOptions, image_block
from detreduce.features.precision import Precision, check_precision
from detreduce.features.store import content_digest
from detreduce.features.table import SEPARATE_BLOCKS, FeatureTable
from detreduce.features.trained import open_proxy
from detreduce.features.vectors import read_vectors
from detreduce.paths import cache_folder

BLOCKS = ("image", "annotations")
LATER_BLOCKS = ("objects",)
SCALING = (
    "X holds the blocks side by side, each centred and divided by its root-mean-square row norm, "
    "so that every block weighs the same; the columns of annotations are brought to unit variance first"
)


def extract_features(
    dataset: DetectionDataset,
    backbone: str | Backbone = "efficientnet-lite0",
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

    Vectors are kept on disk under the content of the image, the backbone, its weights and preprocessing, and the
    precision. A second run reads them back without opening the images; a killed run goes on from where it was; a subset
    or superset shares what it has.

    Parameters
    ----------
    dataset
        Of `load_dataset`.
    backbone
        ``efficientnet-lite0``; ``yolo:<weights.pt>``; ``torchvision:<name>[@state.pt]``;
        ``file:<vectors.npy or .csv>`` for vectors of your own; or a `Backbone`.
    blocks
        ``image`` (the backbone's feature map, average-pooled) and ``annotations`` (the boxes alone, see
        `annotation_features`). Default: both, for an unlabelled dataset ``image`` alone. With `proxy` also ``dynamics``
        (see `dynamics_block`) and ``gradients`` (see `gradient_block`), which are no part of the table's X.
    imgsz
        Input size in pixels, a multiple of 32; default the backbone's own (efficientnet-lite0: 224, yolo: 640).
    batch
        Images a forward pass; default 16 on a CPU, 64 on a GPU.
    device
        As torch names it; default ``cuda`` where there is one, else ``cpu``.
    precision
        ``float32``, ``bfloat16`` or ``auto``: bfloat16 where it is native and within 1e-2 of float32's features.
    unreadable
        What becomes of truncated, damaged or missing images: ``skip`` leaves them out, warns and lists them in the
        table's ``problems``; ``raise`` raises ImageReadError at the first.
    cache
        Folder to keep vectors in; default ``$DETREDUCE_CACHE``, else the user's cache folder.
    workers
        Threads that read and decode beside the network; default one a core, at most 16.
    proxy
        Log of a proxy training, of `log_proxy_training`. Images that it lacks get the mean of their 10 nearest
        neighbours' rows of ``dynamics``, by the other blocks asked for; where there are none, they are skipped.

    Returns
    -------
    FeatureTable
        One row an image that could be read, in the dataset's order.

    Raises
    ------
    InputError
        A backbone, block or option that does not exist or does not fit the dataset.
    MissingFileError
        Weights or vectors that are not there; the message says which file to put where.
    ImageReadError
        An unreadable image with ``unreadable="raise"``, or not one image readable.
    """
    names = _check_blocks(dataset, blocks)
    check_precision(precision)
    if unreadable not in ("skip", "raise"):
        raise InputError(f"unreadable={unreadable!r}: give 'skip' or 'raise'.")
    for option, value in (("batch", batch), ("workers", workers)):
        if value is not None and value < 1:
            raise InputError(f"{option}={value}: give a number of at least 1.")
    if not len(dataset):
        raise InputError(f"{dataset.source.path}: no images to extract features from.")
    trained = open_proxy(names, proxy, dataset)
    found: dict[str, npt.NDArray[np.float32]] = {}
    provenance: dict[str, Any] = {}
    failures: dict[int, str] = {}
    if "image" in names:
        source = backbone if isinstance(backbone, Backbone) else _from_file(backbone, dataset)
        if isinstance(source, Backbone | str):
            chosen = source if isinstance(source, Backbone) else make_backbone(source, imgsz)
            options = EmbeddingOptions(batch, device, precision, workers, stop_at_failure=unreadable == "raise")
            block = image_block([record.path for record in dataset], chosen, cache_folder(cache), options)
            found["image"], provenance["image"], failures = block.vectors, block.provenance, dict(block.failures)
        else:
            found["image"], provenance["image"] = source
    if "annotations" in names:
        found["annotations"], unsized = _annotations(dataset)
        failures = {**unsized, **failures}
        provenance["annotations"] = {"columns": annotation_columns(dataset.class_names)}
    if trained:
        failures = trained.add(
            found,
            provenance,
            failures,
            folder=cache_folder(cache),
            batch=batch,
            device=device,
            workers=workers,
            stop_at_failure=unreadable == "raise",
        )
    return _table(dataset, {name: found[name] for name in names}, provenance, failures, unreadable)


def default_blocks(dataset: DetectionDataset) -> tuple[str, ...]:
    """The blocks that `extract_features` makes where none are named."""
    return BLOCKS if dataset.labelled else ("image",)


def _check_blocks(dataset: DetectionDataset, blocks: Sequence[str] | None) -> tuple[str, ...]:
    if blocks is None:
        return default_blocks(dataset)
    names = (blocks,) if isinstance(blocks, str) else tuple(blocks)
    known = (*BLOCKS, *SEPARATE_BLOCKS)
    for name in names:
        if name in LATER_BLOCKS:
            raise InputError(f"block {name!r} comes with a later version; there are: {', '.join(BLOCKS)}.")
        if name not in known:
            raise InputError(f"no block {name!r}.{nearest(name, known)} There are: {', '.join(known)}.")
    if not names or len(set(names)) < len(names):
        raise InputError(f"blocks={list(names)}: give each wanted block once, of: {', '.join(known)}.")
    unlabelled = [name for name in names if name != "image"]
    if unlabelled and not dataset.labelled:
        raise InputError(
            f"{dataset.source.path}: without labels there is no block {unlabelled[0]!r}; ask for blocks=('image',)."
        )
    return names


def _from_file(backbone: str, dataset: DetectionDataset) -> str | tuple[npt.NDArray[np.float32], dict[str, Any]]:
    family, _, argument = backbone.partition(":")
    if family != "file":
        return backbone
    path = Path(argument).expanduser()
    vectors = read_vectors(path, dataset)
    return vectors, {
        "backbone": backbone,
        "vectors_sha256": content_digest(path.read_bytes()).hex(),
        "dimension": vectors.shape[1],
    }


def _annotations(dataset: DetectionDataset) -> tuple[npt.NDArray[np.float32], dict[int, str]]:
    use = ~dataset.box_crowd
    boxes, rows, classes = dataset.boxes_xyxyn[use], dataset.box_rows[use], dataset.box_classes[use]
    unsized = np.unique(rows[~np.isfinite(boxes).all(axis=1)])
    block = annotation_features(np.nan_to_num(boxes), rows, classes, len(dataset), len(dataset.class_names))
    reason = "its boxes are in pixels and its size cannot be read"
    return block, {int(row): reason for row in unsized}


def _table(
    dataset: DetectionDataset,
    blocks: dict[str, npt.NDArray[np.float32]],
    provenance: dict[str, Any],
    failures: dict[int, str],
    unreadable: str,
) -> FeatureTable:
    problems = tuple(Problem(dataset[row].path, f"skipped: {why}") for row, why in sorted(failures.items()))
    if failures and (unreadable == "raise" or len(failures) == len(dataset)):
        row, why = min(failures.items())
        none = "" if unreadable == "raise" else f"none of {len(dataset)} images could be read; the first: "
        raise ImageReadError(f"{none}{dataset[row].path}: {why}.")
    if problems:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        warnings.warn(f"unreadable images are left out: {problems[0]}{more}", stacklevel=3)
    rows = np.array([row for row in range(len(dataset)) if row not in failures], np.int64)
    # an array is only copied where rows are missing
    kept = blocks if not failures else {name: block[rows] for name, block in blocks.items()}
    return FeatureTable(
        dataset,
        rows,
        kept,
        provenance={
            **provenance,
            "blocks": list(blocks),
            "scaling": SCALING,
            "skipped": len(failures),
            "versions": _versions(),
        },
        problems=problems,
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in ("detreduce", "torch", "torchvision", "ultralytics", "opencv-python", "pillow", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
