"""Matches of ground-truth boxes by hand, without a network."""

from __future__ import annotations

import math

import pytest
import torch

from detreduce.training import box_matching as matching
from detreduce.training.box_matching import match


def logit(*probabilities: float) -> list[float]:
    return [math.log(p / (1 - p)) for p in probabilities]


def tensors(corners: list, logits: list, truth: list, classes: list) -> tuple[torch.Tensor, ...]:
    return (
        torch.tensor(corners, dtype=torch.float32),
        torch.tensor(logits, dtype=torch.float32),
        torch.tensor(truth, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(classes, dtype=torch.int64),
    )


def test_the_match_is_the_largest_iou_times_confidence_of_the_boxes_class() -> None:
    # the box is 10 x 10; IoU 1, 1/2 and 1/2 with predictions whose confidences of class 1 are 0.2, 0.6 and 0.3
    corners = [[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 5, 10], [50, 50, 60, 60]]
    logits = [logit(0.9, 0.2, 0.1), logit(0.5, 0.6, 0.3), logit(0.1, 0.3, 0.1), logit(0.1, 0.9, 0.1)]
    found = match(*tensors(corners, logits, [[0, 0, 10, 10]], [1]))
    values = {name: float(value[0]) for name, value in found.items()}
    # 1 x 0.2 < 0.5 x 0.6
    assert values["iou"] == pytest.approx(0.5)
    assert values["confidence"] == pytest.approx(0.6)
    assert values["margin"] == pytest.approx(0.6 - 0.5)
    assert values["error"] == pytest.approx(math.sqrt(0.5**2 + 0.4**2 + 0.3**2))
    entropy = -(math.log(1 - 0.5) + math.log(0.6) + math.log(1 - 0.3))
    assert values["loss"] == pytest.approx(1 - 0.5 + entropy)


def test_another_class_of_the_same_box_has_another_match() -> None:
    corners = [[0, 0, 10, 10], [0, 0, 10, 5]]
    logits = [logit(0.9, 0.2), logit(0.1, 0.6)]
    found = match(*tensors(corners, logits, [[0, 0, 10, 10]] * 2, [0, 1]))
    assert found["iou"].tolist() == pytest.approx([1.0, 0.5])
    assert found["confidence"].tolist() == pytest.approx([0.9, 0.6])
    assert found["margin"].tolist() == pytest.approx([0.7, 0.5])


def test_with_one_class_the_margin_is_the_confidence() -> None:
    found = match(*tensors([[0, 0, 4, 4]], [logit(0.3)], [[0, 0, 4, 4]], [0]))
    assert found["margin"].tolist() == pytest.approx([0.3])
    assert found["error"].tolist() == pytest.approx([0.7])


def test_a_box_that_nothing_overlaps_takes_the_nearest_prediction() -> None:
    corners = [[100, 100, 110, 110], [30, 30, 40, 40]]
    logits = [logit(0.9), logit(0.4)]
    truth = [[0, 0, 10, 10], [20, 20, 20, 20]]
    found = match(*tensors(corners, logits, truth, [0, 0]))
    assert found["iou"].tolist() == [0.0, 0.0]
    assert found["confidence"].tolist() == pytest.approx([0.4, 0.4])


def test_an_inside_out_prediction_overlaps_nothing() -> None:
    found = match(*tensors([[10, 10, 0, 0], [0, 0, 1, 1]], [logit(0.99), logit(0.01)], [[0, 0, 10, 10]], [0]))
    assert found["iou"].tolist() == pytest.approx([0.01])
    assert found["confidence"].tolist() == pytest.approx([0.01])


def test_images_without_boxes_have_no_matches() -> None:
    found = match(*tensors([[0, 0, 1, 1]], [logit(0.5)], [], []))
    assert {name: value.shape for name, value in found.items()} == dict.fromkeys(
        ("iou", "confidence", "error", "margin", "loss"), torch.Size([0])
    )


def test_many_boxes_in_blocks_are_matched_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    low = torch.rand((90, 2), generator=generator) * 50
    corners = torch.cat([low, low + 5 + 20 * torch.rand((90, 2), generator=generator)], dim=1)
    logits = torch.randn((90, 4), generator=generator)
    truth, classes = corners[:30] + 2, torch.arange(30) % 4
    alone = [match(corners, logits, truth[row : row + 1], classes[row : row + 1]) for row in range(30)]
    monkeypatch.setattr(matching, "BLOCK", 7)
    together = match(corners, logits, truth, classes)
    for name, values in together.items():
        torch.testing.assert_close(values, torch.cat([one[name] for one in alone]))
