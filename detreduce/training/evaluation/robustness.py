"""Evaluate trained weights on corrupted images.

The corrupted copies are in the run folder only while they are evaluated.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from detreduce.dataset.records import DetectionDataset, ImageRecord
from detreduce.display.progress import step
from detreduce.errors import InputError
from detreduce.machine.files import writing
from detreduce.machine.parallel import in_threads
from detreduce.machine.untrusted.decoder_messages import quiet_decoders
from detreduce.machine.untrusted.documents import load_yaml
from detreduce.machine.untrusted.regular_files import YAMLS, is_regular, read_text
from detreduce.training.evaluation.corruptions import corrupt
from detreduce.training.evaluation.evaluate import evaluate
from detreduce.training.evaluation.figures import CorruptedEvaluation
from detreduce.vocabulary.corruptions import SEVERITIES, Corruption

FOLDER = "corrupted"
PHASE = "robustness"
"""Name of the energy phase of these evaluations."""


@dataclass(frozen=True)
class CleanImages:
    """The images of an evaluation, before they are corrupted.

    Attributes
    ----------
    data_yaml
        Path of the data.yaml that lists the images. It also has the class names and the number of channels.
    datasets
        The splits that are evaluated together.
    """

    data_yaml: Path
    datasets: Sequence[DetectionDataset]


def evaluate_corrupted(
    weights: Path,
    clean: CleanImages,
    corruptions: Sequence[Corruption],
    folder: Path,
    arguments: Mapping[str, Any],
) -> list[CorruptedEvaluation]:
    """Evaluate weights on corrupted copies of the images, for each corruption at each of `SEVERITIES`.

    Parameters
    ----------
    weights
        Path of the trained weights.
    clean
        The images. They do not change.
    corruptions
        Names of corruptions.
    folder
        A folder for the copies, which are PNG files. The copies for one corruption and severity are deleted before the
        next copies are written. The folder is removed at the end.
    arguments
        The arguments of ``YOLO.val`` with which the clean images were evaluated.

    Raises
    ------
    InputError
        An image has neither one nor three channels.
    DetreduceError
        The copies cannot be written.
    """
    found = []
    try:
        for corruption in corruptions:
            for severity in SEVERITIES:
                with step(f"evaluating with {corruption}, severity {severity} of 5"):
                    data_yaml, worse = _write_copies(clean, folder, corruption, severity)
                    evaluation, _ = evaluate(weights, data_yaml, worse, output=folder / "plots", **arguments)
                small = evaluation.model_copy(update={"per_class": [], "trainer": {}})
                found.append(CorruptedEvaluation(corruption=corruption, severity=severity, evaluation=small))
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _write_copies(
    clean: CleanImages, folder: Path, corruption: Corruption, severity: int
) -> tuple[Path, list[DetectionDataset]]:
    """Write corrupted copies of all images, and copy their label files.

    Return the data.yaml and the splits of the copies.
    """
    import cv2

    content = load_yaml(read_text(clean.data_yaml, YAMLS))
    flag = _flag(content)

    def copy(numbered: tuple[int, str, ImageRecord]) -> ImageRecord | None:
        """Write a corrupted copy of an image. Return its record, or None if the image cannot be read."""
        number, split, record = numbered
        image = _read(record.path, flag)
        if image is None:
            return None
        worse = corrupt(image, corruption, severity, f"{split}/{record.name}")
        path = folder / "images" / f"{number:08}.png"
        with writing(path):
            cv2.imencode(".png", worse, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tofile(path)
            if record.label_path is not None and is_regular(record.label_path):
                shutil.copyfile(record.label_path, folder / "labels" / f"{number:08}.txt")
        return replace(record, path=path)

    with writing(folder):
        for part in ("images", "labels"):
            (folder / part).mkdir(parents=True, exist_ok=True)
    numbered = [(dataset.split, record) for dataset in clean.datasets for record in dataset]
    copies = list(in_threads(copy, [(number, *one) for number, one in enumerate(numbered)]))
    data_yaml = folder / "data.yaml"
    own = {"path": str(folder), "train": "images", "val": "images", "test": None}
    with writing(data_yaml):
        data_yaml.write_text(yaml.safe_dump({**content, **own}, sort_keys=False, allow_unicode=True), encoding="utf-8")
    if not any(copies):
        raise InputError("No image of the evaluation could be read, so there is nothing to corrupt.")
    return data_yaml, _splits_of(clean.datasets, copies)


def check_channels(data_yaml: Path) -> None:
    """Raise InputError if the images of a data.yaml have neither one nor three channels. No image is opened."""
    _flag(load_yaml(read_text(data_yaml, YAMLS)))


def _flag(content: Mapping[str, Any]) -> int:
    """Return the OpenCV flag for decoding the images as grey or as colour, as ultralytics does.

    Raise InputError if the images have neither one nor three channels.
    """
    import cv2

    channels = content.get("channels") or 3
    if channels not in (1, 3):
        raise InputError(
            f"Corruptions are for images with one or three channels, but this dataset has channels: {channels}. "
            "Leave out corruptions."
        )
    return cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR


def _splits_of(datasets: Sequence[DetectionDataset], copies: Sequence[ImageRecord | None]) -> list[DetectionDataset]:
    """Return the splits with corrupted copies instead of the original images.

    `copies` has the copies of all images, in the order of the images in `datasets`. A copy is None if its original
    could not be read.
    """
    found, start = [], 0
    for dataset in datasets:
        records = tuple(one for one in copies[start : start + len(dataset)] if one is not None)
        found.append(replace(dataset, records=records))
        start += len(dataset)
    return found


def _read(path: Path, flag: int) -> Any:
    """Return the pixels as ultralytics decodes them, rotated by EXIF, or None if the file cannot be read."""
    from ultralytics.utils.patches import imread

    # the original file may have changed since it was loaded
    with quiet_decoders():
        image = imread(path, flag) if is_regular(path) else None
    return image if image is None or image.dtype == np.uint8 else None
