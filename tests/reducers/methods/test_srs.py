from __future__ import annotations

import numpy as np
import pytest

from detreduce.arrays.object_table import ObjectTable
from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.reducers.methods.srs import halve, stratified_order


def test_is_uniform() -> None:
    hits = np.zeros(10)
    for seed in range(2000):
        hits[make_reducer("srs", keep=3, random_state=seed).fit(np.empty((10, 0))).selected_idx_] += 1
    # 600 expected each, standard deviation 20
    assert hits.sum() == 6000 and np.abs(hits - 600).max() < 100


def test_pairs_are_uniform() -> None:
    together = sum(
        {0, 1} <= set(make_reducer("srs", keep=2, random_state=seed).fit(np.empty((4, 0))).selected_idx_)
        for seed in range(1200)
    )
    # one of six pairs
    assert abs(together - 200) < 60


def test_values_are_not_looked_at() -> None:
    n = 12
    expected = make_reducer("srs", keep=5).fit(np.empty((n, 0))).selected_idx_
    for X in (np.full((n, 2), np.nan), np.array([["text"]] * n), np.random.default_rng(0).normal(size=(n, 3))):
        np.testing.assert_array_equal(make_reducer("srs", keep=5).fit(X).selected_idx_, expected)


def random_labels(seed: int, n: int, shares: list[float]) -> list[list[int]]:
    present = np.random.default_rng(seed).random((n, len(shares))) < shares
    return [np.flatnonzero(row).tolist() for row in present]


def table_of(labels: list[list[int]], n_classes: int) -> ObjectTable:
    images = np.repeat(np.arange(len(labels)), [len(held) for held in labels])
    return ObjectTable.from_boxes(images, [c for held in labels for c in held], len(labels), n_classes)


def test_halves_by_hand() -> None:
    # four images of each kind: two of each kind must go to each half
    labels = [[0], [0], [0], [0], [0, 1], [0, 1], [0, 1], [0, 1], [], [], [], []]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        one, other = halve(rng.permutation(12).tolist(), labels, rng)
        assert sorted(one + other) == list(range(12))
        assert sorted(image // 4 for image in one) == [0, 0, 1, 1, 2, 2]


def test_halves_are_of_equal_size_whatever_the_classes() -> None:
    for n in range(2, 40):
        labels = random_labels(n, n, [0.9, 0.5, 0.1])
        one, other = halve(list(range(n)), labels, np.random.default_rng(n))
        assert len(one) == (n + 1) // 2 and sorted(one + other) == list(range(n))


def test_every_class_has_its_share_of_every_prefix() -> None:
    labels = random_labels(0, 600, [0.7, 0.3, 0.2, 0.1, 0.03, 0.01])
    member = np.array([[c in held for c in range(6)] for held in labels])
    place = stratified_order(labels, np.random.default_rng(1))
    worst = 0.0
    for k in range(1, 600):
        worst = max(worst, float(np.abs(member[place[:k]].sum(axis=0) - k / 600 * member.sum(axis=0)).max()))
    # a random order is off by 10 and more
    assert worst < 5
    for k in (75, 150, 300):
        assert np.abs(member[place[:k]].sum(axis=0) - k / 600 * member.sum(axis=0)).max() <= 1.5


def test_every_image_is_as_likely() -> None:
    labels = [[0], [0], [0, 1], [1, 2], [2], [], [0, 1, 2], [1]]
    hits = np.zeros((8, 8))
    for seed in range(2400):
        hits[np.arange(8), stratified_order(labels, np.random.default_rng(seed))] += 1
    # 300 expected for each image at each place, standard deviation 16
    assert np.abs(hits - 300).max() < 70


def test_no_kind_of_image_comes_earlier_than_another() -> None:
    # the only image of class 1 is in the larger half, with one of the two others
    labels = [[0], [0], [1]]
    places = [stratified_order(labels, np.random.default_rng(seed)).tolist().index(2) for seed in range(800)]
    assert abs(np.mean(places) - 1) < 0.1


def test_srs_by_classes() -> None:
    labels = [[0], [0], [0], [0], [0, 1], [0, 1], [0, 1], [0, 1], [], [], [], []]
    table = table_of(labels, 2)
    chosen = set()
    for seed in range(20):
        reducer = make_reducer("srs", by="classes", keep=6, random_state=seed).fit(np.empty((12, 0)), objects=table)
        assert sorted(image // 4 for image in reducer.selected_idx_) == [0, 0, 1, 1, 2, 2]
        assert reducer.scores_[reducer.ranking_].tolist() == [1 - i / 12 for i in range(12)]
        chosen.add(frozenset(reducer.selected_idx_.tolist()))
    assert len(chosen) > 10


def test_seats_still_go_to_categories() -> None:
    labels = random_labels(0, 60, [0.5, 0.2])
    y = np.repeat([0, 1], [40, 20])
    reducer = make_reducer("srs", by="classes", keep=30).fit(np.empty((60, 0)), y, objects=table_of(labels, 2))
    assert reducer.seats_.tolist() == [20, 10]
    member = np.array([0 in held for held in labels])
    for category in (0, 1):
        mine = reducer.selected_idx_[y[reducer.selected_idx_] == category]
        assert abs(member[mine].sum() - member[y == category].sum() / 2) <= 1


def test_needs_follow_the_parameter() -> None:
    by_categories, by_classes = make_reducer("srs"), make_reducer("srs", by="classes")
    assert (type(by_classes).needs, by_categories.needs, by_classes.needs) == ((), (), ("objects",))
    with pytest.raises(InputError, match="objects"):
        by_classes.fit(np.empty((4, 0)))
    with pytest.raises(InputError, match="objects="):
        by_categories.fit(np.empty((4, 0)), objects=table_of([[0]] * 4, 1))
    with pytest.raises(InputError, match=r"by='class' is not one of .* Did you mean 'classes'"):
        make_reducer("srs", by="class").check_params()
