"""A report stays small however crowded the images and however many are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up import made_up_ledger

from detreduce.dataset.records import DetectionDataset, ImageRecord, Source
from detreduce.features.table import FeatureTable
from detreduce.pages import pictures
from detreduce.report import build, write_report
from detreduce.report.charts import Chart
from detreduce.selection.record import Selection

IMAGES, BOXES, SELECTIONS = 4_000, 70, 24
CLASSES = tuple(f"class number {place}" for place in range(40))
# the bytes of a photograph at the size and quality of a thumbnail
JPEG = ("data:image/jpeg;base64," + "A" * 7000, 176, 132)
CHART = Chart("cost", "Classes", "<svg>" + 17_000 * "x" + "</svg>", "")
LIMIT = 10_000_000


def crowded() -> DetectionDataset:
    """Images without files, with many boxes of many classes each."""
    generator = np.random.default_rng(0)
    boxes = np.column_stack([generator.uniform(0.3, 0.7, (BOXES, 2)), generator.uniform(0.01, 0.2, (BOXES, 2))])
    classes, crowd = np.arange(BOXES) % len(CLASSES), np.zeros(BOXES, bool)
    names = [f"a/folder/of/images/photograph_{row:06}.jpg" for row in range(IMAGES)]
    records = tuple(ImageRecord(name, name, Path(name), boxes, classes, crowd) for name in names)
    source = Source("yolo", Path("data.yaml"), Path())
    return DetectionDataset(records, CLASSES, tuple(range(len(CLASSES))), "cxcywhn", "train", source)


@pytest.fixture(scope="module")
def dataset() -> DetectionDataset:
    return crowded()


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch, dataset: DetectionDataset) -> None:
    """Selections of half of the images with near-duplicates of all, features, charts: as large as real ones."""
    generator = np.random.default_rng(1)
    table = FeatureTable(dataset, np.arange(IMAGES), {"image": generator.normal(size=(IMAGES, 2)).astype(np.float32)})
    pairs = [{"kept": dataset[2 * row].id, "copy": dataset[2 * row + 1].id, "similarity": 0.9} for row in range(400)]

    def near(*_: Any) -> dict[str, Any]:
        return {"by": "pixels", "threshold": 0.85, "images": IMAGES, "pairs": pairs}

    def chosen(*_: Any) -> Selection:
        rows = generator.permutation(IMAGES)[: IMAGES // 2]
        ids = tuple(dataset[row].id for row in rows.tolist())
        return Selection(ids, rows, generator.normal(size=IMAGES), "srs", {}, 0.5, 0)

    for name, value in {
        "load_dataset": lambda *_, **__: dataset,
        "read_selection": chosen,
        "check_selection": lambda *_: dataset,
        "find_features": lambda *_: table,
        "read_near_duplicates": near,
        "result_charts": lambda *_: [replace(CHART, svg=20 * CHART.svg)],
    }.items():
        monkeypatch.setattr(build, name, value)
    monkeypatch.setattr("detreduce.pages.selection.view._gaps", lambda _, kept: gaps(generator, kept))
    monkeypatch.setattr("detreduce.pages.selection.view.measures_of", lambda *_: ())
    monkeypatch.setattr(pictures, "_small", lambda _: JPEG)


def gaps(generator: np.random.Generator, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.flatnonzero(~kept)
    return rows, generator.random(len(rows))


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("images", [True, False])
def test_crowded_images_and_many_of_them_stay_below_ten_megabytes(tmp_path: Path, images: bool) -> None:
    cells = [{"label": f"srs(by=m{number})", "keep": 0.5, "seed": 0} for number in range(SELECTIONS)]
    page = write_report(made_up_ledger(tmp_path / "ledger", cells), images=images)
    text = page.read_text(encoding="utf-8")
    assert text.count('<details class="selection"') == text.count('<figure class="map"') == SELECTIONS
    assert text.count('<figure class="thumb"') > 900
    assert ("images have no picture or no boxes here" in text) and ("<image " in text) == images
    assert page.stat().st_size < LIMIT
