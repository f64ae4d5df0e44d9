from __future__ import annotations

import pytest
import torch

from detreduce.training.run.image_scores import smaller_of_precision_and_recall as score

BOXES = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
CLASSES = torch.tensor([0.0, 1.0])


def found(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(rows).reshape(-1, 6)


def test_scores_worked_by_hand() -> None:
    first, second = (0, 0, 10, 9, 0.9, 0), (20, 20, 30, 30, 0.8, 1)
    assert score(found(first, second), BOXES, CLASSES) == 1
    # one of two boxes found: recall 1/2
    assert score(found(first), BOXES, CLASSES) == 0.5
    # both found, and two false ones: precision 1/2
    assert score(found(first, second, (50, 50, 60, 60, 0.9, 0), (0, 0, 10, 9, 0.3, 1)), BOXES, CLASSES) == 0.5
    # a box that is found twice is a false detection the second time: precision 2/3
    assert score(found(first, second, (0, 0, 10, 10, 0.5, 0)), BOXES, CLASSES) == pytest.approx(2 / 3)
    # IoU 0.4 is too little
    assert score(found((0, 0, 10, 4, 0.9, 0)), BOXES[:1], CLASSES[:1]) == 0


def test_images_without_boxes() -> None:
    none = torch.empty(0, 4)
    assert score(found(), none, torch.empty(0)) == 1
    assert score(found((0, 0, 1, 1, 0.9, 0)), none, torch.empty(0)) == 0
    assert score(found(), BOXES, CLASSES) == 0
