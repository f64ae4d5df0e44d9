"""Scores of made predictions, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from detreduce.arrays.predictions import NO_BOXES, PredictedBoxes
from detreduce.features.detector.scores import disagreements, uncertainties


def made(*boxes: tuple[float, float, float, float, int, float, float]) -> PredictedBoxes:
    """Boxes of (x1, y1, x2, y2, class, confidence, confidence of the second class)."""
    rows = np.array(boxes, float).reshape(-1, 7)
    return PredictedBoxes(rows[:, :4], rows[:, 4].astype(np.int64), rows[:, 5], rows[:, 6])


BOX = (0.0, 0.0, 0.5, 0.5)
SURE, TORN = made((*BOX, 0, 1.0, 0.0)), made((*BOX, 0, 0.5, 0.5))


def test_the_uncertainty_is_the_margin_of_brust() -> None:
    mixed = made((*BOX, 0, 0.9, 0.1), (*BOX, 1, 0.6, 0.4))
    found = uncertainties([SURE, TORN, mixed, NO_BOXES])
    np.testing.assert_allclose(found[0], 0.0)
    np.testing.assert_allclose(found[1], 1.0)
    np.testing.assert_allclose(found[2], [0.04 + 0.64, 0.34, 0.64], rtol=1e-6)
    np.testing.assert_allclose(found[3], 0.0)


def test_without_a_second_class_the_margin_is_the_confidence() -> None:
    one_class = PredictedBoxes(np.array([BOX]), np.array([0]), np.array([0.3]))
    np.testing.assert_allclose(uncertainties([one_class])[0], 0.49, rtol=1e-6)


def test_an_image_that_was_not_predicted_has_no_score() -> None:
    assert np.isnan(uncertainties([None])).all()
    assert np.isnan(disagreements([None, SURE], [SURE, None])).all()


def test_disagreement_of_equal_and_of_other_boxes() -> None:
    far, other_class = made((0.6, 0.6, 0.9, 0.9, 0, 1.0, 0.0)), made((*BOX, 1, 1.0, 0.0))
    found = disagreements(
        [SURE, SURE, SURE, SURE, NO_BOXES, NO_BOXES], [SURE, far, other_class, NO_BOXES, SURE, NO_BOXES]
    )
    np.testing.assert_allclose(found[:, 0], [0.0, 1.0, 1.0, 1.0, 1.0, 0.0], atol=1e-7)


def test_disagreement_weights_the_ious_by_confidence() -> None:
    # the first box is half of its counterpart, the second has none
    ours = made((0.0, 0.0, 0.5, 0.5, 0, 0.8, 0.0), (0.7, 0.7, 0.9, 0.9, 0, 0.4, 0.0))
    theirs = made((0.0, 0.0, 0.5, 1.0, 0, 0.6, 0.0))
    assert disagreements([ours], [theirs])[0, 0] == pytest.approx(1 - 0.5 * (0.8 + 0.6) / (0.8 + 0.4 + 0.6))
    assert disagreements([theirs], [ours])[0, 0] == disagreements([ours], [theirs])[0, 0]


def test_a_box_is_matched_once_and_as_well_as_possible() -> None:
    """Two equal boxes share one counterpart: one of them has no match."""
    twice = made((*BOX, 0, 0.5, 0.0), (*BOX, 0, 0.5, 0.0))
    assert disagreements([twice], [made((*BOX, 0, 0.5, 0.0))])[0, 0] == pytest.approx(1 - 1.0 / 1.5)
