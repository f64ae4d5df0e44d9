"""`export --prelabels`: the boxes by which images were chosen, and nothing predicted without the option."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from made_detector import NAMES, make_detector
from made_videos import make_video
from PIL import Image
from typer.testing import CliRunner

import detreduce as dr
from detreduce.cli import app
from detreduce.exports.tasks import TASK_FORMS
from detreduce.features.detector.network import DetectorNetwork
from detreduce.selection.record import Selection
from detreduce.vocabulary.option_values import ExportForm

MARK = "zebrafish"
"""A class that no file may contain unless predictions were asked for."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("detector") / "made.pt", (MARK, *NAMES[1:]))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 40 + 25 * number, (48, 64, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((96, 72)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def round1(pool: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("rounds") / "round1"
    dr.reduce(pool, output, "uncertainty", keep=4, detector=dr.Detector(weights, imgsz=64, confidence=0.1))
    return output


def export(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def texts(folder: Path) -> dict[str, str]:
    files = folder.rglob("*") if folder.is_dir() else [folder]
    return {file.name: file.read_text() for file in files if file.is_file() and file.suffix not in (".png", ".jpg")}


@pytest.mark.parametrize("form", get_args(ExportForm))
def test_without_the_option_nothing_predicted_is_written(round1: Path, tmp_path: Path, form: str) -> None:
    """The selection records the classes of the detector; no other file has a trace of its boxes."""
    result = export(round1, "--as", form, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    found = {name: text for name, text in texts(tmp_path / "out").items() if name != "selection.json"}
    assert not any(MARK in text or "made.pt" in text for text in found.values())
    for name, text in found.items():
        if name.endswith(".json") and isinstance(content := json.loads(text), dict):
            assert not content.get("annotations")


@pytest.mark.parametrize("form", get_args(ExportForm))
def test_a_dataset_with_predicted_boxes_is_exported_without_them(
    round1: Path, pool: Path, weights: Path, tmp_path: Path, form: str
) -> None:
    detector = dr.Detector(weights, imgsz=64, confidence=0.1)
    predicted = dr.predict_boxes(dr.load_dataset(pool), detector)
    assert predicted.class_names[0] == MARK and len(predicted.box_rows)
    out = dr.export_selection(predicted, Selection.load(round1 / "selection.json"), tmp_path / "out", form=form)
    found = {name: text for name, text in texts(out).items() if name != "selection.json"}
    assert found and not any(MARK in text for text in found.values())


def test_reduce_writes_nothing_predicted_as_a_label(round1: Path) -> None:
    found = {name for name, text in texts(round1).items() if MARK in text}
    assert found <= {"selection.json", "selection.html"}
    assert not dr.load_dataset(round1 / "data.yaml").labelled


@pytest.mark.parametrize("form", TASK_FORMS)
def test_prelabels_are_the_boxes_by_which_images_were_chosen(
    round1: Path, pool: Path, weights: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted = dr.predict_boxes(dr.load_dataset(pool), dr.Detector(weights, imgsz=64, confidence=0.1))
    chosen = Selection.load(round1 / "selection.json").image_ids
    wanted = sum(len(predicted[predicted.row_of[image]].class_ids) for image in chosen)
    assert wanted > 0
    # the boxes come from the cache: weights that a file names are never loaded
    monkeypatch.setattr(DetectorNetwork, "loaded", None)
    result = export(round1, "--as", form, "--prelabels", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert f"{wanted:,} in " in result.output
    files = texts(tmp_path / "out")
    if form == "label-studio":
        tasks = json.loads(files["tasks.json"])
        assert sum(len(task["predictions"][0]["result"]) for task in tasks) == wanted
        assert not any("annotations" in task for task in tasks)
    elif form == "cvat":
        assert files["annotations.xml"].count("<box ") == files["annotations.xml"].count('source="auto"') == wanted
    elif form == "labelme":
        contents = [json.loads(text) for name, text in files.items() if name.removesuffix(".json").isdigit()]
        assert len(contents) == len(chosen)
        assert sum(len(content["shapes"]) for content in contents) == wanted
    else:
        assert len(json.loads(files["_annotations.coco.json"])["annotations"]) == wanted


def test_another_detector_predicts_the_chosen_images_only(
    pool: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dr.reduce(pool, tmp_path / "plain", "srs", keep=3)
    result = export(tmp_path / "plain", "--as", "cvat", "--prelabels", "-o", tmp_path / "none")
    assert result.exit_code == 2 and "--detector" in result.output and not (tmp_path / "none").exists()
    seen: list[int] = []
    real = DetectorNetwork.predict

    def counted(self: Any, group: list[Any], *given: Any, **more: Any) -> Any:
        seen.append(len(group))
        return real(self, group, *given, **more)

    monkeypatch.setattr(DetectorNetwork, "predict", counted)
    arguments = ["--prelabels", "--detector", weights, "--detector-size", 64, "--detector-confidence", 0.05]
    arguments += ["--cache", tmp_path / "cache", "-o", tmp_path / "out"]
    result = export(tmp_path / "plain", "--as", "cvat", *arguments)
    assert result.exit_code == 0, result.output
    assert sum(seen) == 3 and texts(tmp_path / "out")["annotations.xml"].count("<box ") > 0


def test_frames_of_videos_have_their_prelabels(weights: Path, tmp_path: Path) -> None:
    make_video(tmp_path / "videos" / "drive.mp4", frames=24)
    detector = dr.Detector(weights, imgsz=64, confidence=0.05)
    chosen = dr.reduce(tmp_path / "videos", tmp_path / "round1", "uncertainty", keep=3, every=4, detector=detector)
    predicted = dr.predict_boxes(dr.load_dataset(tmp_path / "videos", every=4), detector)
    wanted = [len(predicted[row].class_ids) for row in chosen.selection.indices.tolist()]
    result = export(tmp_path / "round1", "--as", "label-studio", "--prelabels", "-o", tmp_path / "tasks")
    assert result.exit_code == 0, result.output
    tasks = json.loads(texts(tmp_path / "tasks")["tasks.json"])
    assert [len(task["predictions"][0]["result"]) for task in tasks] == wanted and sum(wanted) > 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--as", "csv", "--prelabels"], "labelling tasks"),
        (["--as", "cvat", "--detector", "best.pt"], "--prelabels"),
        (["--as", "cvat", "--prelabels", "--detector-size", "64"], "needs a detector"),
        (["--as", "cvat", "--prelabels", "--cache", "elsewhere"], "--detector"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    round1: Path, tmp_path: Path, arguments: list[str], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = export(round1, *arguments, "-o", tmp_path / "out")
    assert result.exit_code == 2 and word in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()
