"""A JSON with a byte-order mark is read, and outputs have no mark, because other tools refuse it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.write import write_subset

BOX = {"label": "x", "coordinates": {"x": 9, "y": 9, "width": 4, "height": 4}}
COCO = {
    "images": [{"id": number, "file_name": f"{number}.png", "width": 64, "height": 32} for number in (1, 2)],
    "annotations": [{"id": number, "image_id": number, "category_id": 1, "bbox": [1, 2, 3, 4]} for number in (1, 2)],
    "categories": [{"id": 1, "name": "x"}],
}
LABEL_STUDIO = [{"id": number, "data": {"image": f"{number}.png"}, "annotations": []} for number in (1, 2)]
CREATEML = [{"image": f"{number}.png", "annotations": [BOX]} for number in (1, 2)]


@pytest.mark.parametrize("content", [COCO, LABEL_STUDIO, CREATEML], ids=["coco", "label_studio", "createml"])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.filterwarnings("ignore")
def test_the_mark_is_not_written(tmp_path: Path, content: object, count: int) -> None:
    for number in (1, 2):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.new("RGB", (64, 32), (number, 0, 0)).save(tmp_path / f"in/{number}.png")
    (tmp_path / "in/train.json").write_text(json.dumps(content), encoding="utf-8-sig")
    dataset = load_dataset(tmp_path / "in/train.json", images=tmp_path / "in")
    reduced = write_subset(dataset, dataset.image_ids[:count], tmp_path / "out")
    assert len(reduced) == count
    written = json.loads((tmp_path / "out/train.json").read_bytes().decode("utf-8"))
    assert len(written["images"] if isinstance(written, dict) else written) == count
