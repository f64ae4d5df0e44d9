"""The last lines of `train`."""

from __future__ import annotations

from pathlib import Path

import pytest

from detreduce.cli.show.training import FEW_STEPS, SHOWN, show_record, show_too_short
from detreduce.training.energy import PhaseEnergy
from detreduce.training.evaluation.figures import Agreement, ClassMetrics, CocoFigures, Evaluation
from detreduce.training.record import TrainingRecord


def record(run: Path, classes: int = 2) -> TrainingRecord:
    per_class = [
        ClassMetrics(
            name=f"class{number}", class_id=number, boxes=9, images=8, precision=0.5, recall=0.5,
            AP50=0.8, AP50_95=0.4 + number / 1000, coco_AP50=0.7, coco_AP50_95=0.00004,
        )
        for number in range(classes)
    ]  # fmt: skip
    return TrainingRecord.model_validate(
        {
            "evaluation": Evaluation(
                splits=["val", "test"], images=1200, boxes=18, mAP50=0.8, mAP50_95=0.401, precision=0.5, recall=0.5,
                per_class=per_class, coco=CocoFigures(mAP50=0.7, mAP50_95=0.399, max_det=300, images=1200, boxes=18),
            ),
            "energy": {"training": PhaseEnergy(seconds=60, wh=0.0004, g_co2=0.1)}, "seconds": 60,
            "counts": {"optimiser_steps": 1, "batches": 1, "images_seen": 1, "epochs": 1},
            "data": {"path": "d", "hash": "0", "splits": {}, "train_images": 9, "train_boxes": 1, "class_names": ["a"]},
            "model": {
                "name": "x.yaml", "task": "detect", "parameters": 1, "weights_before": None, "weights_after": "0",
                "weights_file": "last.pt",
            },
            "choose": "last", "seed": 0, "imgsz": 64, "arguments": {}, "resolved": {}, "history": [], "device": "cpu",
            "cpu": "cpu", "threads": 1, "versions": {}, "started": "", "run": str(run),
        }
    )  # fmt: skip


def with_map50(found: TrainingRecord, value: float) -> TrainingRecord:
    assert found.evaluation is not None
    return found.model_copy(update={"evaluation": found.evaluation.model_copy(update={"mAP50": value})})


def test_a_warning_fits_the_map_and_is_shown_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = record(tmp_path)
    assert found.evaluation is not None
    show_too_short(found, ["d.yaml", "epochs=1"])
    assert not capsys.readouterr().out
    agreement = Agreement(ok=False, tolerance=0.01, mAP50=0.1, mAP50_95=0.002, note="ABC.")
    update = {"evaluation": found.evaluation.model_copy(update={"agreement": agreement}), "warnings": ["why: ABC."] * 2}
    show_record(found.model_copy(update=update))
    assert capsys.readouterr().out.count("ABC.") == 1


def test_train_says_what_was_measured_by_whom_and_where_the_plots_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "BoxPR_curve.png").touch()
    show_record(record(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Measured on val and test: 1,200 images with 18 boxes.") and "last epoch" in lines[0]
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert rows[0] == ["class0", "8", "9", "0.800", "0.400", "0.700", "0.00004"]
    assert rows[2] == ["mAP", "1200", "18", "0.800", "0.401", "0.700", "0.399"]
    assert ["energy (Wh)", "0.0004"] in rows
    assert lines[-3:] == [f"Plots: {tmp_path / 'evaluation'}", "  BoxPR_curve.png", f"Run folder: {tmp_path}"]


def test_of_many_classes_the_lowest_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_record(record(tmp_path, SHOWN + 5))
    text = capsys.readouterr().out
    assert "class0 " in text and f"class{SHOWN - 1} " in text and f"class{SHOWN} " not in text
    assert f"the {SHOWN} classes with the lowest AP50-95" in text and "Plots:" not in text


@pytest.mark.parametrize(("steps", "epochs", "wanted"), [(1, 1, 50), (10, 20, 100), (FEW_STEPS, 1, None)])
def test_a_training_of_too_few_steps_is_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], steps: int, epochs: int, wanted: int | None
) -> None:
    found = with_map50(record(tmp_path), 0.0)
    counts = found.counts.model_copy(update={"optimiser_steps": steps, "epochs": epochs})
    show_too_short(found.model_copy(update={"counts": counts}), ["d.yaml", "--model", "x.pt", "epochs=1", "imgsz=64"])
    text = capsys.readouterr().out
    if wanted is None:
        assert not text
    else:
        assert f"{steps} optimiser step" in text and f"Use epochs={wanted}" in text
        assert text.splitlines()[-1] == f"Next: detreduce train d.yaml --model x.pt imgsz=64 epochs={wanted}"


def test_a_number_of_images_is_not_raised_by_more_epochs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = with_map50(record(tmp_path), 0.0)
    counts = found.counts.model_copy(update={"optimiser_steps": 10})
    show_too_short(found.model_copy(update={"counts": counts, "recipe": {"images_seen": 41}}), ["d.yaml"])
    text = capsys.readouterr().out
    assert "Set images_seen to at least 205" in text and "epochs=" not in text


def test_the_energy_of_the_stream_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = record(tmp_path)
    show_record(found)
    assert "energy of the stream" not in capsys.readouterr().out
    show_record(found.model_copy(update={"energy": {**found.energy, "stream": PhaseEnergy(seconds=1, wh=0.25)}}))
    assert "energy of the stream (Wh) │   0.25" in capsys.readouterr().out
