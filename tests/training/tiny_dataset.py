"""A tiny dataset that a nano model trains on in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SPLITS = {"train": 24, "val": 6, "test": 6}


def make_tiny(root: Path, splits: dict[str, int] | None = None) -> Path:
    """Write images of noise with bright squares (class 0) and dark squares (class 1), and one background image a split.
    Return data.yaml.
    """
    random = np.random.default_rng(0)
    counts = splits or SPLITS
    for split, count in counts.items():
        images, labels = root / split / "images", root / split / "labels"
        images.mkdir(parents=True)
        labels.mkdir()
        for number in range(count):
            pixels = random.integers(100, 156, (64, 64, 3), dtype=np.uint8)
            lines = []
            for class_id in (0, 1) if number else ():
                x, y = random.integers(4, 36, 2)
                pixels[y : y + 24, x : x + 24] = 255 * (1 - class_id)
                lines.append(f"{class_id} {(x + 12) / 64:.6f} {(y + 12) / 64:.6f} 0.375 0.375")
            Image.fromarray(pixels).save(images / f"{number:03d}.jpg", quality=92)
            (labels / f"{number:03d}.txt").write_text("".join(line + "\n" for line in lines))
    data = root / "data.yaml"
    data.write_text("".join(f"{split}: {split}/images\n" for split in counts) + "names: [bright, dark]\n")
    return data


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder: content and modification time."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }
