"""`explain` and the page of a selection that was made by predicted boxes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_detector import NAMES, make_detector
from PIL import Image
from typer.testing import CliRunner

import detreduce as dr
from detreduce.cli import app
from detreduce.features.detector.network import DetectorNetwork
from detreduce.selection.record import Selection


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dr.Detector]:
    """The pool, the output of a reduction by uncertainty, and the detector."""
    root = tmp_path_factory.mktemp("made")
    (root / "pool").mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 40 + 25 * number, (48, 64, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((96, 72)).save(root / "pool" / f"{number}.png")
    detector = dr.Detector(make_detector(root / "made.pt"), imgsz=64, confidence=0.1)
    dr.reduce(root / "pool", root / "out", "uncertainty", keep=4, categories=None, detector=detector)
    return root / "pool", root / "out", detector


def test_the_predicted_boxes_explain_the_choice(
    made: tuple[Path, Path, dr.Detector], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, out, detector = made
    predicted = dr.predict_boxes(dr.load_dataset(pool), detector)
    monkeypatch.setattr(DetectorNetwork, "loaded", None)  # weights that a selection names are never loaded
    selection = Selection.load(out / "selection.json")
    image = selection.image_ids[0]
    found = dr.explain(selection, image)
    record = predicted[predicted.row_of[image]]
    assert found.predicted_by == "made.pt" and found.labelled
    assert sum(found.classes.values()) == len(found.predicted) == len(record.class_ids) > 0
    assert set(found.classes) <= set(NAMES)
    margins = [box["confidence"] - box["second_class"] for box in found.predicted]
    assert margins == sorted(margins)
    # the score of the image is the sum over these boxes
    assert found.score == pytest.approx(sum((1 - margin) ** 2 for margin in margins), rel=1e-2)
    json.dumps(found.to_dict())
    result = CliRunner().invoke(app, ["explain", str(out), "--image", str(image)])
    assert result.exit_code == 0 and "predicted by made.pt" in " ".join(result.output.split())


def test_without_the_cache_the_boxes_are_a_note(made: tuple[Path, Path, dr.Detector], tmp_path: Path) -> None:
    _, out, _ = made
    selection = Selection.load(out / "selection.json")
    found = dr.explain(selection, selection.image_ids[0], cache=tmp_path / "empty")
    assert found.predicted == () and not found.labelled
    assert any("predicted boxes are not known" in note for note in found.notes)


def test_the_page_marks_its_boxes_as_predicted(made: tuple[Path, Path, dr.Detector], tmp_path: Path) -> None:
    _, out, _ = made
    first = (out / "selection.html").read_text(encoding="utf-8")
    again = dr.write_selection_page(out, tmp_path / "selection.html").read_text(encoding="utf-8")
    for page in (first, again):
        assert "<body data-curate" in page and 'class="predicted"' in page
        assert "predicted by made.pt" in page and 'class="box ' in page
    empty = dr.write_selection_page(out, tmp_path / "empty.html", cache=tmp_path / "cache").read_text(encoding="utf-8")
    assert 'class="predicted"' not in empty and 'class="box ' not in empty


def test_labels_are_not_marked(made: tuple[Path, Path, dr.Detector], tmp_path: Path) -> None:
    pool, _, _ = made
    shutil.copytree(pool, tmp_path / "images")
    (tmp_path / "labels").mkdir()
    for file in (tmp_path / "images").iterdir():
        (tmp_path / "labels" / f"{file.stem}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text("train: images\nval: images\nnames: [cat]\n")
    dr.reduce(tmp_path / "data.yaml", tmp_path / "out", "class_coverage", keep=4)
    assert 'class="predicted"' not in (tmp_path / "out" / "selection.html").read_text(encoding="utf-8")
