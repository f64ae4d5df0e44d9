"""Figures of resampled images, against pycocotools on datasets with real copies of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.errors import InputError, MissingFileError
from detreduce.training.evaluation.coco_figures import Boxes, average_precision, boxes_of, evaluated, figures_of
from detreduce.training.evaluation.evidence import EVIDENCE_NAME, Evidence, evidence_of
from detreduce.training.evaluation.resampling import mean_ap

CLASSES = 4


def simulated(images: int, seed: int, *, digits: int | None = None) -> tuple[Boxes, Boxes]:
    """Boxes, and predictions that are shifted, false, crowd-covered or missing; class 3 is rare, image 0 is empty.

    With `digits`, confidences are rounded, so that images share values; the confidences of one image and class differ.
    """
    random = np.random.default_rng(seed)
    truth: list[tuple] = []
    found: list[tuple] = []
    for image in range(1, images):
        for _ in range(random.integers(1, 5)):
            corner, size = random.uniform(0, 60, 2), random.uniform(10, 40, 2)
            box = np.concatenate([corner, corner + size])
            label = int(random.choice(CLASSES, p=[0.5, 0.3, 0.15, 0.05]))
            truth.append((image, *box, label, random.random() < 0.1))
            if random.random() < 0.8:
                found.append((image, *(box + random.normal(0, 3, 4)), label, random.beta(3, 2)))
        for _ in range(random.integers(0, 8)):
            corner = random.uniform(0, 60, 2)
            found.append((image, *corner, *(corner + 20), int(random.integers(CLASSES)), random.beta(2, 3)))
    boxes, predictions = np.array(truth), np.array(found)
    confidence = predictions[:, 6]
    if digits is not None:
        confidence = np.round(confidence, digits)
        kept = np.unique(np.column_stack([predictions[:, 0], predictions[:, 5], confidence]), axis=0, return_index=True)
        rows = np.sort(kept[1])
        predictions, confidence = predictions[rows], confidence[rows]
    return (
        boxes_of(boxes[:, 0], boxes[:, 1:5], boxes[:, 5], crowd=boxes[:, 6] > 0),
        boxes_of(predictions[:, 0], predictions[:, 1:5], predictions[:, 5], confidence),
    )


def evidence(truth: Boxes, found: Boxes, images: int) -> Evidence:
    return evidence_of(evaluated(truth, found, images, CLASSES), [f"test/{row}.jpg" for row in range(images)])


def repeated(boxes: Boxes, weights: np.ndarray) -> Boxes:
    """The boxes with each image repeated by its weight; the copies stand next to each other."""
    first = np.concatenate([[0], np.cumsum(weights)])
    parts = [
        (np.full(int(np.sum(boxes.image == row)), first[row] + copy), np.flatnonzero(boxes.image == row))
        for row in range(len(weights))
        for copy in range(weights[row])
    ]
    image = np.concatenate([new for new, _ in parts])
    rows = np.concatenate([old for _, old in parts])
    return Boxes(image, boxes.xyxy[rows], boxes.class_id[rows], boxes.score[rows], boxes.crowd[rows])


def by_pycocotools(truth: Boxes, found: Boxes, weights: np.ndarray) -> list[float]:
    ap, _ = average_precision(repeated(truth, weights), repeated(found, weights), int(weights.sum()), CLASSES)
    return [float(np.nanmean(ap[:, 0])), float(np.nanmean(ap))]


def test_every_image_once_gives_the_figures_of_the_record() -> None:
    truth, found = simulated(30, seed=1)
    evaluator = evaluated(truth, found, 30, CLASSES)
    ap, _ = figures_of(evaluator)
    own = mean_ap(evidence(truth, found, 30), np.ones(30, int))
    assert 0.1 < own[1] < own[0] < 0.9
    assert own == pytest.approx([np.nanmean(ap[:, 0]), np.nanmean(ap)], abs=1e-12)


@pytest.mark.parametrize("digits", [None, 1])
def test_images_drawn_again_are_images_under_new_ids(digits: int | None) -> None:
    truth, found = simulated(25, seed=2, digits=digits)
    assert truth.crowd.any()
    random = np.random.default_rng(0)
    weights = random.multinomial(25, np.full(25, 1 / 25), size=20)
    assert (weights > 1).any() and (weights == 0).any()
    rare = np.zeros(25, int)
    np.add.at(rare, truth.image[(truth.class_id == 3) & ~truth.crowd], 1)
    weights[0, rare > 0] = 0
    many = mean_ap(evidence(truth, found, 25), weights)
    for row, own in zip(weights, many, strict=True):
        assert own == pytest.approx(by_pycocotools(truth, found, row), abs=1e-9)
    assert many[3] == pytest.approx(mean_ap(evidence(truth, found, 25), weights[3]), abs=1e-15)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 3), min_size=6, max_size=6).filter(lambda w: sum(w[1:]) > 0))
def test_any_weights(seed: int, weights: list[int]) -> None:
    truth, found = simulated(6, seed=seed, digits=2)
    counts = np.array(weights)
    there = repeated(truth, counts)
    own = mean_ap(evidence(truth, found, 6), counts)
    if len(there) and not there.crowd.all():
        assert own == pytest.approx(by_pycocotools(truth, found, counts), abs=1e-9)
    else:
        assert own.tolist() == [0, 0]


def test_twice_every_image_changes_nothing_and_none_is_zero() -> None:
    truth, found = simulated(20, seed=3)
    made = evidence(truth, found, 20)
    assert mean_ap(made, np.full(20, 2)) == pytest.approx(mean_ap(made, np.ones(20)), abs=1e-12)
    assert mean_ap(made, np.zeros((2, 20))).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ValueError, match="20"):
        mean_ap(made, np.ones(19))


def test_many_resamples_are_made_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    from detreduce.training.evaluation import resampling

    truth, found = simulated(20, seed=4)
    made = evidence(truth, found, 20)
    weights = np.random.default_rng(0).multinomial(20, np.full(20, 1 / 20), size=50)
    whole = mean_ap(made, weights)
    monkeypatch.setattr(resampling, "BLOCK", 100)
    assert mean_ap(made, weights) == pytest.approx(whole, abs=1e-15)


def test_evidence_comes_back_as_it_was(tmp_path: Path) -> None:
    truth, found = simulated(15, seed=5)
    for confidence in (found.score, found.score.astype(np.float32).astype(np.float64)):
        made = evidence(truth, Boxes(found.image, found.xyxy, found.class_id, confidence, found.crowd), 15)
        made.save(tmp_path / EVIDENCE_NAME)
        back = Evidence.load(tmp_path / EVIDENCE_NAME)
        for name in Evidence.__dataclass_fields__:
            assert np.array_equal(getattr(made, name), getattr(back, name)), name
            assert getattr(made, name).dtype == getattr(back, name).dtype, name
    assert [file.name for file in tmp_path.iterdir()] == [EVIDENCE_NAME]


def test_evidence_that_is_not_there_or_broken_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="evidence"):
        Evidence.load(tmp_path / EVIDENCE_NAME)
    (tmp_path / EVIDENCE_NAME).write_bytes(b"PK\x03\x04half")
    with pytest.raises(InputError, match="is not evidence"):
        Evidence.load(tmp_path / EVIDENCE_NAME)


def test_images_are_brought_into_one_order_by_name() -> None:
    truth, found = simulated(12, seed=6)
    made = evidence(truth, found, 12)
    order = np.random.default_rng(1).permutation(12)
    other = made.in_order_of(made.images[order])
    assert other.images.tolist() == made.images[order].tolist()
    weights = np.random.default_rng(2).integers(0, 3, 12)
    assert mean_ap(other, weights[order]) == pytest.approx(mean_ap(made, weights), abs=1e-12)
    assert made.in_order_of(made.images) is made
    with pytest.raises(InputError, match="not on the same images"):
        made.in_order_of(np.array([*made.images[:-1], "test/other.jpg"]))


def test_no_prediction_at_all() -> None:
    truth, _ = simulated(5, seed=7)
    nothing = boxes_of([], np.empty((0, 4)), [], [])
    made = evidence(truth, nothing, 5)
    assert len(made) == 0
    assert mean_ap(made, np.ones(5)).tolist() == [0, 0]
