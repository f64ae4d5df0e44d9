"""A request for features. It is checked before the slow work starts, and then run on a dataset."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from detreduce.arrays.predictions import Predictions
from detreduce.arrays.proxy_log import OVERS
from detreduce.dataset.object_counts import label_objects
from detreduce.dataset.records import DetectionDataset, Problem
from detreduce.dataset.views.predicted import predictions_of
from detreduce.dataset.writing.apart import check_cache_apart
from detreduce.display.progress import step
from detreduce.errors import DetreduceWarning, ImageReadError, InputError
from detreduce.features.annotations import annotation_columns, annotation_features
from detreduce.features.backbones import Backbone, make_backbone
from detreduce.features.blocks import blocks_for, check_blocks
from detreduce.features.detector.scores import disagreements, uncertainties
from detreduce.features.extracted import Extracted
from detreduce.features.pixels.image_block import image_block
from detreduce.features.pixels.objects import PairedBoxes
from detreduce.features.pixels.precision import Precision, check_precision
from detreduce.features.pixels.running import Running
from detreduce.features.proxy.blocks import ProxyBlocks, open_proxy
from detreduce.features.table import SEPARATE_BLOCKS, FeatureTable
from detreduce.features.vectors import read_vectors
from detreduce.images.alongside import Alongside
from detreduce.machine.cache_folder import cache_folder
from detreduce.machine.hashes import file_hash

BACKBONE = "efficientnet-lite0"
SCALING = (
    "X has the blocks side by side. Each block is centred and divided by its root-mean-square row norm, so that all "
    "blocks have the same weight. The columns of annotations are first scaled to unit variance"
)


@dataclass(frozen=True)
class Extraction:
    """A request for features: which blocks to extract, and how. The fields are the arguments of `extract_features`."""

    backbone: str | Backbone = BACKBONE
    blocks: Sequence[str] | None = None
    imgsz: int | None = None
    batch: int | None = None
    device: str | None = None
    precision: Precision = "auto"
    unreadable: Literal["skip", "raise"] = "skip"
    cache: str | Path | None = None
    workers: int | None = None
    proxy: str | Path | None = None

    def for_method(self, method: str, needs: Collection[str], dataset: DetectionDataset) -> Extraction:
        """Return this request with the blocks that a method with these `needs` uses (see `blocks_for`)."""
        proxy = None if self.proxy is None else Path(self.proxy)
        return replace(self, blocks=blocks_for(method, needs, dataset, self.backbone, self.blocks, proxy))

    def check(self, dataset: DetectionDataset) -> tuple[str, ...]:
        """Return the names of the blocks to extract. Raise InputError if an option is invalid or does not fit the
        dataset.

        This check does not open images, weights or proxy logs.
        """
        self.check_options()
        names = check_blocks(dataset, self.backbone, self.blocks)
        if not len(dataset):
            raise InputError(f"{dataset.source.typed} has no images to extract features from.")
        check_cache_apart(self.cache, dataset)
        return names

    def check_options(self) -> None:
        """Raise InputError if an option is invalid whatever the dataset is. This check does not open any files."""
        check_precision(self.precision)
        if self.unreadable not in ("skip", "raise"):
            raise InputError(f"unreadable={self.unreadable!r} is not known. Use 'skip' or 'raise'.")
        for option, value in (("batch", self.batch), ("workers", self.workers)):
            if value is not None and (not isinstance(value, numbers.Integral) or value < 1):
                raise InputError(f"{option}={value!r} is not allowed. Use a whole number of at least 1.")
        if not isinstance(self.blocks, Iterable | None):
            raise InputError(f"blocks={self.blocks!r} is not a list. Pass names of blocks, such as blocks=('image',).")
        if not isinstance(self.proxy, str | Path | None):
            raise InputError(f"proxy={self.proxy!r} is not a path. Pass the path of the log of a proxy training.")
        cache_folder(self.cache)
        self.make_backbone()

    def make_backbone(self) -> Backbone | None:
        """Create the backbone. Return None if the vectors come from a file. Raise InputError if the name is unknown."""
        if isinstance(self.backbone, Backbone):
            return self.backbone
        return None if self.vectors_file is not None else make_backbone(self.backbone, self.imgsz)

    @property
    def gives_object_vectors(self) -> bool:
        """Whether features of boxes can be computed. Vectors that come from a file describe only whole images."""
        return self.vectors_file is None

    def run(self, dataset: DetectionDataset, alongside: Alongside | None = None) -> FeatureTable:
        """Extract the features of a dataset. See `extract_features` for the result and the errors.

        If `alongside` is given, it computes a second vector from each frame of a video, and decides which frames need
        no features (see `Alongside`).
        """
        names = self.check(dataset)
        proxy = self._open_proxy(names, dataset)
        stops = self.unreadable == "raise"
        running = Running(self.batch, self.device, self.workers, stop_at_failure=stops, alongside=alongside)
        extracted = Extracted(failures=_find_unsized(dataset) if "objects" in names or "annotations" in names else {})
        if "image" in names or "objects" in names:
            self._add_vectors(extracted, dataset, running, objects="objects" in names)
        if alongside is not None:
            extracted.left_out = set(alongside.left_out)
        if (predictions := predictions_of(dataset)) is not None:
            extracted.failures |= predictions.failures
            extracted.left_out = {*extracted.left_out, *predictions.unseen}
            _add_scores(extracted, names, predictions)
        if "annotations" in names:
            extracted.blocks["annotations"] = _annotations_block(dataset)
            columns = annotation_columns(dataset.class_names, dataset.sparse_class_counts)
            extracted.provenance["annotations"] = {"columns": columns}
        if proxy:
            alike = [name for name in names if name not in SEPARATE_BLOCKS]
            proxy.add_to(extracted, alike, cache_folder(self.cache), running)
        return self._table(dataset, names, extracted)

    def _open_proxy(self, names: Collection[str], dataset: DetectionDataset) -> ProxyBlocks | None:
        return open_proxy(names, self.proxy, dataset)

    @property
    def vectors_file(self) -> Path | None:
        """The file with the caller's own vectors, or None if a network computes the vectors."""
        if isinstance(self.backbone, Backbone) or not self.backbone.startswith("file:"):
            return None
        return Path(self.backbone.removeprefix("file:")).expanduser()

    def _add_vectors(self, extracted: Extracted, dataset: DetectionDataset, running: Running, *, objects: bool) -> None:
        """Add the vectors that the backbone computes, or those in the vectors file, to `extracted`."""
        backbone = self.make_backbone()
        if backbone is None:
            extracted.blocks["image"], extracted.provenance["image"] = self.read_file(dataset)
            return
        paths = [record.path for record in dataset]
        boxes = PairedBoxes.of(dataset) if objects else None
        with step("extracting features"):
            block = image_block(paths, backbone, self.precision, cache_folder(self.cache), running, boxes)
        extracted.blocks["image"] = block.vectors
        if block.pairs is not None:
            extracted.objects = replace(label_objects(dataset), vectors=block.pairs)
        extracted.provenance |= block.provenance
        extracted.failures |= block.failures

    def read_file(self, dataset: DetectionDataset) -> tuple[npt.NDArray[np.floating], dict[str, Any]]:
        """Return the vectors in `vectors_file`, and the facts about them for the provenance."""
        path = self.vectors_file
        assert path is not None
        vectors = read_vectors(path, dataset)
        sha256 = file_hash(path)
        return vectors, {"backbone": self.backbone, "vectors_sha256": sha256, "dimension": vectors.shape[1]}

    def _table(self, dataset: DetectionDataset, names: tuple[str, ...], extracted: Extracted) -> FeatureTable:
        """Make the table of all images without failures, and warn about the other images.

        Raise ImageReadError if all images failed, or if any image failed and `unreadable` is ``raise``.
        """
        failures = extracted.failures
        problems = tuple(Problem(dataset[row].path, f"skipped: {reason}") for row, reason in sorted(failures.items()))
        if failures and (self.unreadable == "raise" or len(failures) == len(dataset)):
            row, reason = min(failures.items())
            none = "" if self.unreadable == "raise" else f"None of {len(dataset)} images could be read. First error: "
            raise ImageReadError(f"{none}{dataset[row].path}: {reason}.")
        if problems:
            more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
            warnings.warn(f"Unreadable images are left out: {problems[0]}{more}.", DetreduceWarning, stacklevel=4)
        rows = extracted.readable_rows(len(dataset))
        blocks, objects = extracted.take(rows)
        return FeatureTable(
            dataset,
            rows,
            {name: blocks[name] for name in names},
            provenance={
                **{name: extracted.provenance[name] for name in (*names, "proxy") if name in extracted.provenance},
                "blocks": list(names),
                "scaling": SCALING,
                "skipped": len(failures),
                "versions": dict(_versions()),
            },
            problems=problems,
            objects=objects,
        )


@dataclass(frozen=True)
class TensorProxyExtraction(Extraction):
    """A request with a proxy whose weights are stored as tensors only. Reading such weights cannot run code.

    `start` is the model from which the proxy training started, for example ``yolo11n.pt``.
    """

    start: str | None = None

    def _open_proxy(self, names: Collection[str], dataset: DetectionDataset) -> ProxyBlocks | None:
        return open_proxy(names, self.proxy, dataset, self.start)


def _add_scores(extracted: Extracted, names: Collection[str], predictions: Predictions) -> None:
    """Add the scores that are computed from predicted boxes."""
    if "uncertainty" in names:
        extracted.blocks["uncertainty"] = uncertainties(predictions.images)
        extracted.provenance["uncertainty"] = {"columns": list(OVERS)}
    if "disagreement" in names and predictions.mirrored is not None:
        extracted.blocks["disagreement"] = disagreements(predictions.images, predictions.mirrored)


def _annotations_block(dataset: DetectionDataset) -> npt.NDArray[np.float32]:
    use = ~dataset.box_crowd
    boxes, rows, classes = dataset.boxes_xyxyn[use], dataset.box_rows[use], dataset.box_classes[use]
    return annotation_features(np.nan_to_num(boxes), rows, classes, len(dataset), len(dataset.class_names))


def _find_unsized(dataset: DetectionDataset) -> dict[int, str]:
    """Return the images whose boxes are in pixels and whose size is unknown. Such boxes cannot be used.

    The result is the reason as text, keyed by the row of the image.
    """
    unplaced = ~dataset.box_crowd & ~np.isfinite(dataset.boxes_xyxyn).all(axis=1)
    reason = "the boxes are in pixels and the size of the image cannot be read"
    return {int(row): reason for row in np.unique(dataset.box_rows[unplaced])}


@cache
def _versions() -> dict[str, str]:
    versions = {}
    for package in ("detreduce", "torch", "torchvision", "ultralytics", "opencv-python", "pillow", "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
