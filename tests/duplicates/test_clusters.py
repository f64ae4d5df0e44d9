"""Clusters of near-duplicates are connected components of pairs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detreduce.duplicates.clusters import cluster_labels


@given(st.data())
def test_two_images_share_a_cluster_exactly_if_a_chain_of_pairs_connects_them(data):
    images = data.draw(st.integers(1, 25))
    rows = st.integers(0, images - 1)
    pairs = data.draw(st.lists(st.tuples(rows, rows), max_size=30))
    reach = np.eye(images, dtype=bool)
    for one, other in pairs:
        reach[one, other] = reach[other, one] = True
    for _ in range(images):
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    labels = cluster_labels(pairs, images)
    assert np.array_equal(labels[:, None] == labels[None, :], reach)
    first = [labels.tolist().index(label) for label in range(labels.max() + 1)]
    assert first == sorted(first), "numbered in the order of their first images"


def test_without_pairs_every_image_is_a_cluster():
    assert cluster_labels([], 3).tolist() == [0, 1, 2]
    assert cluster_labels([], 0).tolist() == []
