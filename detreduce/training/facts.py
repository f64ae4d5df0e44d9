"""Facts for a training record: the hardware, software versions, and hashes of data and weights."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from detreduce.dataset.records import DetectionDataset
from detreduce.machine.hashes import json_hash
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import RECORDS, read_regular

PACKAGES = ("detreduce", "torch", "ultralytics", "codecarbon", "numpy", "pycocotools")


def versions() -> dict[str, str]:
    """Return name -> version for Python and for the packages that can change results."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def data_hash(datasets: Iterable[DetectionDataset]) -> str:
    """Return a SHA-256 of the image ids, classes and boxes of several splits. It does not cover paths or pixels."""
    digest = hashlib.sha256()
    for dataset in datasets:
        digest.update(repr((dataset.split, dataset.class_names, dataset.box_format)).encode())
        for record in dataset:
            digest.update(repr(record.id).encode())
            digest.update(record.class_ids.astype("<i8").tobytes() + record.boxes.astype("<f8").tobytes())
            digest.update(record.crowd.astype("u1").tobytes())
    return digest.hexdigest()


SELECTION_NAME = "selection.json"
# a COCO JSON may be in a subfolder of the dataset, such as train/ or annotations/
LEVELS_UP = 2
_SELECTED_BY = ("method", "parameters", "keep", "seed", "image_ids")


def selection_hash(data: Path, image_ids: Collection[int | str]) -> str | None:
    """Return a SHA-256 of the selection.json from which a dataset was written, or None if there is no such file.

    The hash covers the method, the parameters, `keep`, the seed and the image ids. It does not cover times and paths,
    because they differ between equal selections. The file is searched in the folder of `data` and in the two folders
    above it. `image_ids` are the images of the train split. A file in one of the two folders above is used only if it
    lists all of these images.
    """
    folder = data if data.is_dir() else data.parent
    for level, place in enumerate([folder, *folder.parents][: LEVELS_UP + 1]):
        try:
            content = parse_json(read_regular(place / SELECTION_NAME, RECORDS))
        except (OSError, ValueError):
            continue
        if not isinstance(content, dict) or not isinstance(content.get("image_ids"), list):
            continue
        if level and not set(image_ids) <= {one for one in content["image_ids"] if isinstance(one, int | str)}:
            continue
        chosen = [content.get(key) for key in _SELECTED_BY]
        return json_hash(chosen)
    return None


def weights_hash(state: Mapping[str, Any]) -> str:
    """Return a SHA-256 of a state dict: the names, shapes, dtypes and values of its tensors, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def device_name(device: Any) -> str:
    """Return the name of a GPU. For any other device, return the device as text, for example ``cpu``."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def cpu_name() -> str:
    """Return the name of the processor."""
    from ultralytics.utils.torch_utils import get_cpu_info

    try:
        return str(get_cpu_info())
    except Exception:  # a missing name must not stop a training
        return platform.processor() or platform.machine()
