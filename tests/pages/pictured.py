"""Small datasets of pictures on disk, with names that do harm if a page does not escape them."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

SCRIPT = "</script><script>document.title='owned'</script>"
CLASSES = ["fish", SCRIPT, "تمساح"]
NAMES = ["<script>document.title='owned'", "it's {{ 7 * 7 }}", "-x y", "fish\u202etxt", "a very long name " * 6]


def pictured(folder: Path, images: int = 40, *, labelled: bool = True) -> Path:
    """A YOLO dataset, or a folder of images: every tenth image has no boxes, and 1 is a copy of 0."""
    generator = np.random.default_rng(0)
    for row in range(images):
        name = f"cam{row % 2}/{NAMES[row % len(NAMES)]}{row:02}"
        image, label = folder / "images" / f"{name}.jpg", folder / "labels" / f"{name}.txt"
        for file in (image, label) if labelled else (image,):
            file.parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(generator.integers(0, 255, (6, 8, 3), np.uint8))
        if row == 1:
            image.write_bytes(name_of(folder, 0).read_bytes())
        else:
            small.resize((96, 72), Image.Resampling.BICUBIC).save(image)
        if labelled:
            boxes = [f"{row % len(CLASSES)} 0.3 0.4 {0.1 + 0.02 * (row % 9):.2f} 0.2"] * (1 + row % 3)
            label.write_text("" if row % 10 == 9 else "\n".join(boxes) + "\n")
    if not labelled:
        return folder / "images"
    file = folder / "data.yaml"
    content = {"train": "images", "val": "images", "names": CLASSES}
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return file


def name_of(folder: Path, row: int) -> Path:
    """The image of a row."""
    return folder / "images" / f"cam{row % 2}" / f"{NAMES[row % len(NAMES)]}{row:02}.jpg"


def unpacked(page: Path) -> dict[str, Any]:
    """Return the images that a page stores for its script."""
    found = re.search(r'<script id="images-data"[^>]*>([^<]*)</script>', page.read_text(encoding="utf-8"))
    assert found is not None
    content: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return content
