"""A table of features in a notebook."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hand_made import dataset_of

from detreduce.errors import InputError
from detreduce.features.annotations import annotation_columns
from detreduce.features.projection import principal_plane
from detreduce.features.table import FeatureTable


def make_table(n: int = 5) -> FeatureTable:
    dataset = dataset_of([Path(f"/data/{row}.jpg") for row in range(n + 1)], Path("/data"))
    width = len(annotation_columns(dataset.class_names))
    random = np.random.default_rng(0)
    blocks = {"image": random.normal(size=(n, 3)), "annotations": random.normal(size=(n, width))}
    rows = np.arange(1, n + 1)
    return FeatureTable(dataset, rows, {name: block.astype(np.float32) for name, block in blocks.items()})


def test_the_map_has_a_point_for_each_image_that_could_be_read() -> None:
    table = make_table()
    (axes,) = table.plot().axes
    np.testing.assert_allclose(axes.collections[0].get_offsets(), principal_plane(table.X).points)
    assert len(axes.collections) == 1


def test_a_block_as_it_was_extracted_under_the_names_of_images_and_columns() -> None:
    table = make_table()
    frame = table.to_frame("image")
    assert frame.columns.tolist() == ["image_0", "image_1", "image_2"]
    assert frame.index.tolist() == [f"{row}.jpg" for row in range(1, 6)] and frame.index.name == "image_id"
    np.testing.assert_array_equal(frame.to_numpy(), table.blocks["image"])
    assert table.to_frame("annotations").columns.tolist() == annotation_columns(["thing"])
    together = table.to_frame()
    np.testing.assert_array_equal(together.to_numpy(), np.hstack(list(table.blocks.values())))
    assert together["log1p_count[thing]"].tolist() == table.blocks["annotations"][:, 0].tolist()


def test_a_misspelt_block_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no block 'imge'.* Did you mean 'image'.* image, annotations"):
        make_table().to_frame("imge")


def test_a_table_without_blocks_is_a_frame_without_columns_and_no_map() -> None:
    table = make_table()
    bare = FeatureTable(table.dataset, table.rows, {})
    assert bare.to_frame().shape == (5, 0)
    with pytest.raises(InputError, match="no features to draw"):
        bare.plot()


def test_the_plane_by_an_eigendecomposition() -> None:
    X = np.random.default_rng(1).normal(size=(50, 6)) * [5, 3, 1, 1, 0.5, 0.1]
    plane = principal_plane(X.astype(np.float32))
    values, axes = np.linalg.eigh(np.cov(X.T))
    expected = (X - X.mean(axis=0)) @ axes[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(plane.points), np.abs(expected), atol=1e-4)
    np.testing.assert_allclose(plane.explained, values[::-1][:2] / values.sum(), atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (2, 1), (5, 1), (3, 4)])
def test_few_rows_or_columns_are_padded_with_zeros(shape: tuple[int, int]) -> None:
    X = np.arange(np.prod(shape), dtype=float).reshape(shape)
    plane = principal_plane(X)
    assert plane.points.shape == (shape[0], 2)
    assert np.allclose(plane.points[:, 1], 0) and plane.explained[1] == pytest.approx(0)
    if shape[0] > 1:
        assert plane.explained[0] == pytest.approx(1)


def test_equal_images_lie_in_one_point() -> None:
    plane = principal_plane(np.ones((4, 3), np.float32))
    assert not plane.points.any() and plane.explained == (0, 0)
