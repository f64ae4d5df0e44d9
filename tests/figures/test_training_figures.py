from __future__ import annotations

import math

from drawn_things import legend_of, points_of

from detreduce.figures import training_curves
from detreduce.figures.training import loss_of

HISTORY = [
    {"epoch": 1.0, "train/box_loss": 2.0, "train/cls_loss": 1.0, "lr/pg0": 0.1, "metrics/mAP50(B)": 0.1},
    {"epoch": 2.0, "train/box_loss": 1.0, "train/cls_loss": None, "lr/pg0": 0.1, "metrics/mAP50(B)": None},
    {"epoch": 3.0, "train/box_loss": 0.5, "train/cls_loss": 0.5, "val/box_loss": 4.0, "metrics/mAP50(B)": 0.3},
]


def test_losses_are_summed_and_mAP_is_as_it_was() -> None:
    figure = training_curves(HISTORY, {"mAP50 on test": 0.25})
    losses, accuracy = figure.axes
    training, validation = losses.lines
    assert (list(training.get_xdata()), list(training.get_ydata())) == ([1, 2, 3], [3, 1, 1])
    first, _, last = validation.get_ydata()
    assert math.isnan(first) and last == 4
    assert list(accuracy.lines[0].get_ydata())[::2] == [0.1, 0.3]
    assert math.isnan(list(accuracy.lines[0].get_ydata())[1])
    assert points_of(accuracy) == [[3, 0.25]], "the evaluation comes after the last epoch"
    assert legend_of(figure) == ["training", "validation", "mAP50 on val", "mAP50 on test"]


def test_without_validation_there_is_the_evaluation_alone() -> None:
    history = [{"epoch": 1.0, "train/box_loss": 2.0}]
    assert legend_of(training_curves(history, {"$x$": 0.5})) == ["training", "$x$"]
    assert training_curves(history).axes[1].get_legend() is None


def test_masks_are_told_from_boxes() -> None:
    figure = training_curves([{"metrics/mAP50(B)": 0.1, "metrics/mAP50(M)": 0.2}])
    assert legend_of(figure) == ["mAP50, boxes on val", "mAP50, masks on val"]


def test_a_loss_is_of_its_own_part() -> None:
    assert loss_of({"train/a": 1.0, "val/a": 5.0, "train/b": 2.0}) == 3
    assert loss_of({"train/a": 1.0, "val/a": 5.0}, "val/") == 5
    assert math.isnan(loss_of({"lr": 1.0, "train/a": None}))
