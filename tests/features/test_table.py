"""FeatureTable: scaling, and its representation as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hand_made import dataset_of

from detreduce.features.table import FeatureTable, scale_block


@pytest.mark.parametrize("standardise", [False, True])
def test_every_block_weighs_the_same(standardise: bool) -> None:
    rng = np.random.default_rng(0)
    for width, scale, offset in ((3, 1e-3, 5.0), (400, 1e4, -1e5)):
        scaled = scale_block(rng.normal(offset, scale, (50, width)), standardise=standardise)
        assert scaled.dtype == np.float32
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
        assert (scaled.astype(float) ** 2).sum(axis=1).mean() == pytest.approx(1, abs=1e-4)


def test_only_standardising_changes_the_columns_proportions() -> None:
    block = np.array([[0.0, 0.0, 7.0], [1.0, 100.0, 7.0], [2.0, 50.0, 7.0]])
    plain, standard = scale_block(block, standardise=False), scale_block(block, standardise=True)
    assert plain[:, 1].std() / plain[:, 0].std() == pytest.approx(50)
    assert standard[:, 1].std() == pytest.approx(standard[:, 0].std())
    assert not standard[:, 2].any()


def test_all_rows_alike_and_no_rows() -> None:
    assert not scale_block(np.full((4, 2), 3.0), standardise=False).any()
    assert scale_block(np.empty((0, 2)), standardise=True).shape == (0, 2)


def test_rows_in_any_order_scale_alike() -> None:
    block = np.random.default_rng(1).normal(size=(30, 4))
    order = np.random.default_rng(2).permutation(30)
    np.testing.assert_allclose(
        scale_block(block[order], standardise=True), scale_block(block, standardise=True)[order], atol=1e-6
    )


def test_blocks_side_by_side(tmp_path: Path) -> None:
    dataset = dataset_of([tmp_path / f"{i}.jpg" for i in range(3)], tmp_path)
    image, boxes = np.eye(2, 3, dtype=np.float32), np.array([[1.0], [3.0]], np.float32)
    table = FeatureTable(dataset, np.array([0, 2]), {"image": image, "annotations": boxes})
    assert table.image_ids == ["0.jpg", "2.jpg"]
    assert repr(table) == "FeatureTable(2 images, image 3, annotations 1, 1 skipped)"
    np.testing.assert_allclose(table.X[:, 3], [-1, 1])
