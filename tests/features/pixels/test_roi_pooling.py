"""RoI pooling on maps whose means have a closed form."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
import torch
import torchvision

from detreduce.features.pixels import roi_pooling
from detreduce.features.pixels.roi_pooling import PlacedBoxes, pool_boxes


def ramp(width: int = 10, height: int = 6) -> torch.Tensor:
    """Return one image with two channels: the position of each cell's centre along x and along y, in 0..1."""
    x, y = (torch.arange(width) + 0.5) / width, (torch.arange(height) + 0.5) / height
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)])[None]


def placed(corners: object, images: object = None, pairs: object = None) -> PlacedBoxes:
    boxes = np.asarray(corners, np.float64).reshape(-1, 4)
    return PlacedBoxes(
        boxes,
        np.zeros(len(boxes), np.int64) if images is None else np.asarray(images, np.int64),
        np.arange(len(boxes)) if pairs is None else np.asarray(pairs, np.int64),
    )


def test_the_mean_of_a_ramp_is_its_value_at_the_boxes_centre() -> None:
    rng = np.random.default_rng(0)
    # between the centres of the outermost cells, because the ramp is constant outside
    first, second = (rng.uniform([0.05, 1 / 12], [0.95, 11 / 12], (200, 2)) for _ in range(2))
    boxes = np.hstack([np.minimum(first, second), np.maximum(first, second)])
    found = pool_boxes(ramp(), placed(boxes))
    np.testing.assert_allclose(found, (boxes[:, :2] + boxes[:, 2:]) / 2, atol=1e-6)
    assert found.dtype == np.float32


def test_beyond_the_outermost_centres_values_stay() -> None:
    found = pool_boxes(ramp(), placed([[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0.05, 1 / 12], [0, 0, 1, 1]]))
    low, high = [0.05, 1 / 12], [0.95, 11 / 12]
    np.testing.assert_allclose(found, [low, high, low, [0.5, 0.5]], atol=1e-6)


def test_a_box_without_area_is_looked_at_in_its_centre() -> None:
    boxes = [[0.3, 0.5, 0.3, 0.5], [0.3, 0.2, 0.3, 0.8], [0.4, 0.5, 0.2, 0.5]]
    np.testing.assert_allclose(pool_boxes(ramp(), placed(boxes)), [[0.3, 0.5]] * 3, atol=1e-6)


def test_every_cell_inside_a_large_box_counts() -> None:
    rng = np.random.default_rng(1)
    values = torch.from_numpy(rng.normal(size=(1, 3, 40, 60)).astype(np.float32))
    # from centre to centre: the mean of the interpolated values, computed on a fine grid
    grid_x, grid_y = np.linspace(0.5, 58.5, 2001), np.linspace(0.5, 38.5, 2001)
    interpolated = values.numpy()[0]
    columns = np.stack([_interpolate(interpolated, x, axis=2) for x in grid_x]).mean(axis=0)
    expected = np.stack([_interpolate(columns, y, axis=1) for y in grid_y]).mean(axis=0)
    found = pool_boxes(values, placed([[1 / 60, 1 / 40, 59 / 60, 39 / 40]]))
    np.testing.assert_allclose(found[0], expected, atol=0.02)


def _interpolate(values: np.ndarray, place: float, axis: int) -> np.ndarray:
    low = int(place)
    below, above = np.take(values, low, axis), np.take(values, min(low + 1, values.shape[axis] - 1), axis)
    return below + (place - low) * (above - below)


def test_the_mean_of_a_pair_and_the_right_image() -> None:
    maps = torch.cat([ramp(), 10 + ramp()])
    boxes = placed([[0.2, 0.2, 0.4, 0.4], [0.5, 0.5, 0.7, 0.7], [0.4, 0.4, 0.6, 0.6]], [0, 0, 1], [0, 0, 1])
    np.testing.assert_allclose(pool_boxes(maps, boxes), [[0.45, 0.45], [10.5, 10.5]], atol=1e-5)


@pytest.mark.parametrize("values_at_once", [1, 48, 10**9])
def test_memory_is_bounded_and_the_answer_does_not_depend_on_it(values_at_once: int) -> None:
    rng = np.random.default_rng(2)
    corners = np.sort(rng.random((5000, 2, 2)), axis=1).reshape(-1, 4)
    boxes = placed(corners, rng.integers(0, 2, 5000), np.sort(rng.integers(0, 40, 5000)))
    boxes = PlacedBoxes(boxes.corners, boxes.images, np.unique(boxes.pairs, return_inverse=True)[1])
    maps = torch.from_numpy(rng.normal(size=(2, 4, 7, 9)).astype(np.float32))
    expected = pool_boxes(maps, boxes)
    sizes = []
    real = torchvision.ops.roi_align

    def counted(*arguments: object, **named: object) -> torch.Tensor:
        result = real(*arguments, **named)
        sizes.append(result.numel())
        return result

    if values_at_once == 1:
        boxes = PlacedBoxes(boxes.corners[:50], boxes.images[:50], boxes.pairs[:50])
        expected = pool_boxes(maps, boxes)
    with (
        patch.object(roi_pooling, "VALUES_AT_ONCE", values_at_once),
        patch.object(torchvision.ops, "roi_align", counted),
    ):
        found = pool_boxes(maps, boxes)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert max(sizes) <= max(values_at_once, 4 * roi_pooling.BINS**2)


def test_no_boxes_and_half_precision_maps() -> None:
    assert pool_boxes(ramp(), placed([])).shape == (0, 2)
    rough = pool_boxes(ramp().bfloat16().to(memory_format=torch.channels_last), placed([[0.2, 0.2, 0.8, 0.8]]))
    np.testing.assert_allclose(rough, [[0.5, 0.5]], atol=5e-3)


@pytest.mark.parametrize("boxes_at_once", [1, 2, 3])
def test_the_sum_over_boxes_does_not_depend_on_the_steps(monkeypatch: pytest.MonkeyPatch, boxes_at_once: int) -> None:
    monkeypatch.setattr(roi_pooling, "VALUES_AT_ONCE", boxes_at_once * roi_pooling.BINS**2)
    # (1 + 1e20) - 1e20 is 0 in float64, but 1 + (1e20 - 1e20) is 1
    feature_map = torch.tensor([1.0, 1e20, -1e20]).repeat_interleave(3).view(1, 1, 1, 9)
    corners = np.array([[(cell + 0.3) / 9, 0.3, (cell + 0.7) / 9, 0.7] for cell in (1, 4, 7)])
    placed = PlacedBoxes(corners, np.zeros(3, np.int64), np.zeros(3, np.int64))
    assert roi_pooling.pool_boxes(feature_map, placed).tolist() == [[0.0]]
