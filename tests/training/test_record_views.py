"""A finished training in a notebook."""

from __future__ import annotations

import math

import pytest
from test_record import make_record

from detreduce.errors import InputError
from detreduce.training.evaluation.figures import ClassMetrics, Evaluation
from detreduce.training.record import TrainingRecord

HISTORY = [
    {"epoch": 1.0, "train/box_loss": 3.0, "lr/pg0": 0.1, "seconds": 2.0},
    {"epoch": 2.0, "train/box_loss": 1.0, "lr/pg0": 0.1, "seconds": 2.5},
]


@pytest.fixture
def record() -> TrainingRecord:
    figures = {"boxes": 20, "images": 9, "precision": 0.625, "recall": math.nan, "AP50": 0.5, "AP50_95": 0.25}
    one = ClassMetrics(name="<script>", class_id=0, **figures)
    evaluation = Evaluation(
        splits=["val", "test"], images=9, boxes=20, mAP50=0.5, mAP50_95=0.25, precision=0.6, recall=0.4, per_class=[one]
    )
    return make_record(history=HISTORY, evaluation=evaluation, warnings=["1 < 2"])


def test_the_table_has_figures_cost_and_how_it_was_obtained(record: TrainingRecord) -> None:
    page = record._repr_html_()
    assert "TrainingRecord: n.pt on 5 images" in page
    for name, value in (
        ("evaluated on", "val+test"),
        ("mAP50-95", "0.250"),
        ("Wh", "3.00"),
        ("training minutes", "1.5"),
    ):
        assert f'<th scope="row">{name}</th><td dir="auto">{value}</td>' in page
    assert "gpu: 2.00 Wh, measured (NVML)" in page and "ram: 1.00 Wh, constant (slots)" in page
    assert "&lt;script&gt;</td>" in page and "<script" not in page
    cells = ("9", "20", "0.500", "0.250", "0.625", "")
    assert "".join(f'<td class="number">{cell}</td>' for cell in cells) in page
    assert "Warning: 1 &lt; 2" in page


def test_without_an_evaluation_or_energy_there_is_a_table_too() -> None:
    page = make_record(evaluation=None, energy={})._repr_html_()
    assert '<th scope="row">evaluated on</th><td dir="auto">nothing</td>' in page
    assert "mAP50" not in page and "Wh" not in page


def test_the_picture_has_each_epoch_and_the_evaluation(record: TrainingRecord) -> None:
    losses, accuracy = record.plot().axes
    assert list(losses.lines[0].get_ydata()) == [3, 1]
    assert [mark.get_offsets().tolist() for mark in accuracy.collections] == [[[2, 0.5]], [[2, 0.25]]]
    labels = [text.get_text() for text in accuracy.get_legend().get_texts()]
    assert labels == ["mAP50 on val+test", "mAP50-95 on val+test"]


def test_a_training_without_a_finished_epoch_is_told() -> None:
    with pytest.raises(InputError, match="/run: "):
        make_record(history=[]).plot()


def test_a_row_an_epoch(record: TrainingRecord) -> None:
    frame = record.to_frame()
    assert frame.index.tolist() == [1, 2] and frame.index.name == "epoch"
    assert frame["train/box_loss"].tolist() == [3, 1]
    assert make_record(history=[]).to_frame().empty


def test_a_row_a_class(record: TrainingRecord) -> None:
    frame = record.per_class_frame()
    assert frame[["name", "class_id", "AP50"]].values.tolist() == [["<script>", 0, 0.5]]
    nothing = make_record(evaluation=None).per_class_frame()
    assert nothing.empty and nothing.columns.tolist() == frame.columns.tolist()
