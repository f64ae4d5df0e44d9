"""Crops of scikit-learn's two photographs, datasets of these crops, and changes that make near-duplicates."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_sample_image

from detreduce.dataset import DetectionDataset, load_dataset

SIDE = 213


def photographs() -> list[np.ndarray]:
    """Twelve different RGB pictures of 213 x 213."""
    return [
        np.ascontiguousarray(load_sample_image(name)[y : y + SIDE, x : x + SIDE])
        for name in ("china.jpg", "flower.jpg")
        for y in (0, 213)
        for x in (0, 213, 426)
    ]


def save(path: Path, image: np.ndarray, quality: int = 95) -> Path:
    """Write an RGB picture in the format of the path's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else []
    cv2.imwrite(str(path), image[:, :, ::-1], options)
    return path


def folder_of(root: Path, **images: np.ndarray) -> DetectionDataset:
    """Make a folder of unlabelled PNG images. Each keyword is the name of an image."""
    for name, image in images.items():
        save(root / f"{name}.png", image)
    return load_dataset(root)


def yolo_of(root: Path, boxes: dict[str, int], **splits: dict[str, np.ndarray]) -> Path:
    """A YOLO dataset; `boxes` maps an image name to its number of boxes (default: one). Return the data.yaml."""
    for split, images in splits.items():
        for name, image in images.items():
            save(root / split / "images" / f"{name}.png", image)
            label = root / split / "labels" / f"{name}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            lines = [f"0 0.5 0.5 0.{number + 2} 0.2\n" for number in range(boxes.get(name, 1))]
            label.write_text("".join(lines))
    data = root / "data.yaml"
    data.write_text("".join(f"{split}: {split}/images\n" for split in splits) + "names: [thing]\n")
    return data
