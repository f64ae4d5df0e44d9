"""Sizes of boxes: the part inside the image, the same for every position of a box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.dataset.health.counts import summarise
from detreduce.dataset.records import BoxFormat, DetectionDataset, ImageRecord, Source
from detreduce.pages.selection.shares import single_box_sizes
from detreduce.representativeness import measure_representativeness, size_divergence

SIDES = np.array([640, 480], np.int64)


def dataset(boxes: np.ndarray, box_format: BoxFormat, images: int = 6, size: bool = True) -> DetectionDataset:
    """Return a dataset whose boxes are distributed over the images in turn."""
    width, height = SIDES.tolist() if size else (None, None)
    records = tuple(
        ImageRecord(
            f"{row}.jpg",
            f"{row}.jpg",
            Path(f"/nowhere/{row}.jpg"),
            boxes[row::images],
            np.zeros(len(boxes[row::images]), np.int64),
            np.zeros(len(boxes[row::images]), bool),
            width,
            height,
        )
        for row in range(images)
    )
    source = Source("coco", Path("/nowhere"), Path("/nowhere"))
    return DetectionDataset(records, ("a",), (0,), box_format, "train", source)


seeds = st.integers(0, 10_000)


@pytest.mark.parametrize("box_format", ["cxcywhn", "xywh", "xyxy"])
@given(seeds, st.integers(1, 5000), st.integers(1, 5000))
@settings(max_examples=40, deadline=None)
def test_boxes_of_one_size_have_one_size_wherever_they_lie(
    box_format: BoxFormat, seed: int, width: int, height: int
) -> None:
    # in ten-thousandths of the image, then in pixels with two decimals
    sides = np.array([width, height])
    first = np.random.default_rng(seed).integers(0, 10_001 - sides, (60, 2))
    if box_format == "cxcywhn":
        boxes = np.hstack([(first + sides / 2) / 10_000, np.tile(sides / 10_000, (len(first), 1))])
    else:
        first, sides = (first / 10_000 * SIDES).round(2), (sides / 10_000 * SIDES).round(2).clip(0.01)
        second = np.tile(sides, (len(first), 1))
        boxes = np.hstack([first, second if box_format == "xywh" else first + second])
    data = dataset(boxes, box_format)
    measured = measure_representativeness(data, ["0.jpg", "3.jpg"]).size_divergence
    assert measured is not None and measured.value == 0.0
    assert len(set(single_box_sizes(data).tolist())) == 1
    assert len(set(summarise(data).side_quantiles.values())) == 1


@given(seeds, st.integers(1, 9_999))
@settings(max_examples=40, deadline=None)
def test_sizes_from_corners_are_equal_up_to_rounding(seed: int, side: int) -> None:
    first = np.random.default_rng(seed).integers(0, 10_001, (60, 2)) / 10_000
    second = first + side / 10_000
    sizes = np.sqrt((second - first).prod(axis=1))
    assert size_divergence(sizes, np.arange(len(sizes)) % 6, [0, 3]) == 0.0


def naive_sizes(corners: np.ndarray) -> dict[str, int]:
    """Count by COCO's bounds, box by box."""
    counts = {"small": 0, "medium": 0, "large": 0}
    for x1, y1, x2, y2 in corners.tolist():
        area = max(min(x2, SIDES[0]) - max(x1, 0), 0) * max(min(y2, SIDES[1]) - max(y1, 0), 0)
        counts["small" if area < 32 * 32 else "medium" if area < 96 * 96 else "large"] += 1
    return counts


def by_pixels(sizes: np.ndarray) -> dict[str, int]:
    """Count sizes, as sqrt(box area / image area), by COCO's bounds."""
    areas = (sizes**2 * SIDES.prod()).round()
    small, large = int((areas < 32 * 32).sum()), int((areas >= 96 * 96).sum())
    return {"small": small, "medium": len(areas) - small - large, "large": large}


@pytest.mark.parametrize("box_format", ["xywh", "xyxy"])
@given(seeds)
@settings(max_examples=40, deadline=None)
def test_inspect_report_and_measure_agree_on_boxes_partly_outside(box_format: BoxFormat, seed: int) -> None:
    stored = np.random.default_rng(seed).integers((-120, -120, 1, 1), (700, 700, 200, 200), (40, 4)).astype(np.float64)
    corners = np.hstack([stored[:, :2], stored[:, :2] + stored[:, 2:]])
    pixels = dataset(stored if box_format == "xywh" else corners, box_format)
    centred = np.hstack([(corners[:, :2] + stored[:, 2:] / 2) / SIDES, stored[:, 2:] / SIDES])
    fractions = dataset(centred, "cxcywhn")
    assert summarise(pixels).sizes == naive_sizes(corners)
    assert summarise(fractions).side_quantiles == pytest.approx(summarise(pixels).side_quantiles, abs=3e-9)
    for data in (pixels, fractions):
        sizes = single_box_sizes(data)
        assert by_pixels(sizes) == naive_sizes(corners)
        quantiles = summarise(data).side_quantiles
        np.testing.assert_allclose(list(quantiles.values()), np.quantile(sizes, list(quantiles)), atol=1e-12)
        measured = measure_representativeness(data, ["0.jpg", "3.jpg"]).size_divergence
        assert measured is not None and measured.value == size_divergence(sizes, data.box_rows, [0, 3])


def test_sizes_by_hand() -> None:
    boxes = np.array([[0.0, 0.5, 1.0, 0.5], [0.5, 0.5, 0.0, 0.3], [0.9 + 5e-7, 0.9, 0.2, 0.2]])
    # half outside; no width; a rounding over the edge
    np.testing.assert_array_equal(dataset(boxes, "cxcywhn", 1).box_sizes, [0.5, 0.0, 0.2])


def test_where_an_images_size_is_not_known() -> None:
    # the part left of the image is cut off; the right edge of the image is not known
    data = dataset(np.array([[-31.0, 0.0, 63.0, 32.0], [600.0, 0.0, 96.0, 96.0]]), "xywh", 1, size=False)
    assert summarise(data).sizes == {"small": 0, "medium": 1, "large": 1}
    assert np.isnan(data.box_sizes).all() and dict(summarise(data).side_quantiles) == {}
