"""extract_features: a dataset in, a FeatureTable out, with everything that can be kept read back from disk."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.dataset.object_counts import label_objects
from detreduce.dataset.records import DetectionDataset, Problem
from detreduce.display.progress import step
from detreduce.errors import DetreduceWarning, ImageReadError, InputError
from detreduce.features.annotations import annotation_columns, annotation_features
from detreduce.features.backbones import Backbone, make_backbone
from detreduce.features.blocks import check_blocks
from detreduce.features.image_block import EmbeddingOptions, ImageBlock, image_block
from detreduce.features.objects import PairedBoxes, objects_block
from detreduce.features.precision import Precision, check_precision
from detreduce.features.table import SEPARATE_BLOCKS, FeatureTable
from detreduce.features.trained import open_proxy
from detreduce.features.vectors import read_vectors
from detreduce.images.store import content_digest
from detreduce.machine.cache_folder import cache_folder

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

    Vectors are kept on disk under the content of the image, those of boxes under the boxes too, the backbone, its
    weights and preprocessing, and the precision. A second run reads them back without opening the images; a killed run
    goes on from where it was; a subset or superset shares what it has; with changed labels only the images that they
    belong to are looked at again.

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
        in each image) and ``annotations`` (the boxes alone, see `annotation_features`). Default: all that there can
        be: for an unlabelled dataset ``image`` alone, for vectors of your own all but ``objects``. With `proxy` also
        ``dynamics`` (see `dynamics_block`) and ``gradients`` (see `gradient_block`), which are no part of the table's
        X and are made only where named.
    imgsz
        Input size in pixels, a multiple of 32; default the backbone's own (efficientnet-lite0: 224, yolo: 640).
    batch
        Images a forward pass; default 16 on a CPU, 64 on a GPU.
    device
        As torch names it; default ``cuda`` where there is one, else ``cpu``.
    precision
        ``float32``, ``bfloat16`` or ``auto``: bfloat16 where it is native and within 1e-2 of float32's features of
        whole images.
    unreadable
        What becomes of truncated, damaged or missing images: ``skip`` leaves them out, warns and lists them in the
        table's ``problems``; ``raise`` raises ImageReadError at the first.
    cache
        Folder to keep vectors in; default ``$DETREDUCE_CACHE``, else the user's cache folder.
    workers
        Threads that read and decode beside the network; default one a core, at most 16.
    proxy
        Log of a proxy training, of `log_proxy_training`. Images that it lacks get the mean of their 10 nearest
        neighbours' scores of a box (a sum: that mean times their own boxes), by the other blocks asked for, of which
        there must be one then.

    Returns
    -------
    FeatureTable
        One row an image that could be read, in the dataset's order. Images whose boxes are in pixels and whose size
        cannot be read are left out as well, where a block depends on the boxes.

    Raises
    ------
    InputError
        A backbone, block or option that does not exist or does not fit the dataset.
    MissingFileError
        Weights or vectors that are not there; the message says which file to put where.
    ImageReadError
        An unreadable image with ``unreadable="raise"``, or not one image readable.
    """
    names = check_blocks(dataset, backbone, blocks)
    check_precision(precision)
    if unreadable not in ("skip", "raise"):
        raise InputError(f"unreadable={unreadable!r}: give 'skip' or 'raise'.")
    for option, value in (("batch", batch), ("workers", workers)):
        if value is not None and value < 1:
            raise InputError(f"{option}={value}: give a number of at least 1.")
    if not len(dataset):
        raise InputError(f"{dataset.source.path}: no images to extract features from.")
    trained = open_proxy(names, proxy, dataset)
    found = _Found(failures=_unsized(dataset) if "objects" in names or "annotations" in names else {})
    if "image" in names or "objects" in names:
        source = backbone if isinstance(backbone, Backbone) else _from_file(backbone, dataset)
        if isinstance(source, Backbone | str):
            chosen = source if isinstance(source, Backbone) else make_backbone(source, imgsz)
            options = EmbeddingOptions(batch, device, precision, workers, stop_at_failure=unreadable == "raise")
            boxes = PairedBoxes.of(dataset) if "objects" in names else None
            paths = [record.path for record in dataset]
            with step("extracting features"):
                found.add_pixels(image_block(paths, chosen, cache_folder(cache), options, boxes), dataset)
        else:
            found.blocks["image"], found.provenance["image"] = source
    if "annotations" in names:
        found.blocks["annotations"] = _annotations(dataset)
        found.provenance["annotations"] = {"columns": annotation_columns(dataset.class_names)}
    if trained:
        alike = tuple(name for name in names if name not in SEPARATE_BLOCKS)
        found.failures = trained.add(
            found.blocks,
            found.provenance,
            found.failures,
            alike=lambda rows: {name: found.at(rows)[0][name] for name in alike},
            folder=cache_folder(cache),
            batch=batch,
            device=device,
            workers=workers,
            stop_at_failure=unreadable == "raise",
        )
    return _table(dataset, names, found, unreadable)


@dataclass
class _Found:
    """What was extracted: blocks of one row an image of the dataset, its objects, and rows that failed, with why."""

    failures: dict[int, str]
    blocks: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    objects: ObjectTable | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def add_pixels(self, block: ImageBlock, dataset: DetectionDataset) -> None:
        """Take over what a backbone gave."""
        self.blocks["image"] = block.vectors
        if block.pairs is not None:
            self.objects = replace(label_objects(dataset), vectors=block.pairs)
        self.provenance |= block.provenance
        self.failures |= block.failures

    def at(self, rows: npt.NDArray[np.int64]) -> tuple[dict[str, npt.NDArray[np.float32]], ObjectTable | None]:
        """The blocks and objects of these rows, ascending; ``objects`` among the blocks where there are any."""
        # an array is only copied where rows are missing
        blocks = {name: block if len(rows) == len(block) else block[rows] for name, block in self.blocks.items()}
        objects = self.objects
        if objects is not None:
            objects = objects if len(rows) == len(objects) else objects.take(rows)
            blocks["objects"] = objects_block(objects)
        return blocks, objects


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


def _annotations(dataset: DetectionDataset) -> npt.NDArray[np.float32]:
    use = ~dataset.box_crowd
    boxes, rows, classes = dataset.boxes_xyxyn[use], dataset.box_rows[use], dataset.box_classes[use]
    return annotation_features(np.nan_to_num(boxes), rows, classes, len(dataset), len(dataset.class_names))


def _unsized(dataset: DetectionDataset) -> dict[int, str]:
    """Rows whose boxes cannot be placed in the image."""
    unplaced = ~dataset.box_crowd & ~np.isfinite(dataset.boxes_xyxyn).all(axis=1)
    reason = "its boxes are in pixels and its size cannot be read"
    return {int(row): reason for row in np.unique(dataset.box_rows[unplaced])}


def _table(dataset: DetectionDataset, names: tuple[str, ...], found: _Found, unreadable: str) -> FeatureTable:
    failures = found.failures
    problems = tuple(Problem(dataset[row].path, f"skipped: {why}") for row, why in sorted(failures.items()))
    if failures and (unreadable == "raise" or len(failures) == len(dataset)):
        row, why = min(failures.items())
        none = "" if unreadable == "raise" else f"none of {len(dataset)} images could be read; the first: "
        raise ImageReadError(f"{none}{dataset[row].path}: {why}.")
    if problems:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        warnings.warn(f"unreadable images are left out: {problems[0]}{more}", DetreduceWarning, stacklevel=3)
    rows = np.array([row for row in range(len(dataset)) if row not in failures], np.int64)
    blocks, objects = found.at(rows)
    return FeatureTable(
        dataset,
        rows,
        {name: blocks[name] for name in names},
        provenance={
            **{name: found.provenance[name] for name in (*names, "proxy") if name in found.provenance},
            "blocks": list(names),
            "scaling": SCALING,
            "skipped": len(failures),
            "versions": _versions(),
        },
        problems=problems,
        objects=objects,
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in ("detreduce", "torch", "torchvision", "ultralytics", "opencv-python", "pillow", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
