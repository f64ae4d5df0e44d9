from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detreduce.training.streams.draw import GrowingDraws, WeightedDraws, systematic_counts

WEIGHTS = st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e3)), min_size=1, max_size=30).filter(any)


def stream(draws: WeightedDraws | GrowingDraws, count: int) -> list[int]:
    return [draws.image(place) for place in range(count)]


@pytest.mark.parametrize("weight", [1.0, 0.1, 1 / 3])
def test_equal_weights_give_the_images_of_the_uniform_stream(weight: float) -> None:
    # the permutations of the equal-steps control, so that its finished trainings stay valid
    wanted = np.concatenate([np.random.default_rng([5, number]).permutation(23) for number in range(4)])
    assert stream(WeightedDraws(np.full(23, weight), seed=5), 92) == wanted.tolist()


def test_counts_worked_by_hand() -> None:
    # weights 1, 1, 2, 4 with sum 8: expected 0.5, 0.5, 1, 2 in a pass of four draws
    for seed in range(20):
        counts = np.bincount(stream(WeightedDraws(np.array([1, 1, 2, 4.0]), seed), 4), minlength=4)
        assert counts[2:].tolist() == [1, 2]
        assert sorted(counts[:2].tolist()) == [0, 1]


@given(WEIGHTS, st.integers(0, 3), st.integers(0, 5))
def test_an_image_comes_floor_or_ceil_of_its_expected_number(weights: list[float], seed: int, number: int) -> None:
    array = np.array(weights)
    n = len(array)
    draws = WeightedDraws(array, seed)
    counts = np.bincount([draws.image(number * n + place) for place in range(n)], minlength=n)
    expected = array * n / array.sum()
    assert (counts >= np.floor(expected - 1e-6)).all()
    assert (counts <= np.ceil(expected + 1e-6)).all()
    assert not counts[array == 0].any()


def test_the_mean_of_many_passes_is_the_expected_number() -> None:
    weights = np.array([0.1, 0.3, 0.9, 1.2, 2.5])
    counts = np.bincount(stream(WeightedDraws(weights), 5 * 4000), minlength=5)
    np.testing.assert_allclose(counts / 4000, weights, atol=0.03)


def test_repeated_images_are_not_side_by_side() -> None:
    # one image has half of all draws: in a random order, about half of its neighbours are the same image
    drawn = stream(WeightedDraws(np.r_[99.0, np.ones(99)]), 198)
    pairs = sum(one == other == 0 for one, other in pairwise(drawn))
    assert 25 < pairs < 75


@given(st.lists(st.floats(0, 5), min_size=1, max_size=40), st.integers(0, 2**32))
def test_systematic_counts_add_up(expected: list[float], seed: int) -> None:
    array = np.array(expected)
    counts = systematic_counts(array, np.random.default_rng(seed))
    assert counts.sum() == round(array.sum())


def test_a_place_gives_the_same_image_in_any_order_of_calls() -> None:
    for make in (
        lambda: WeightedDraws(np.arange(1.0, 8), seed=2),
        lambda: GrowingDraws(np.arange(7), total=60, seed=2),
    ):
        whole = stream(make(), 60)
        draws = make()
        assert [draws.image(place) for place in (40, 3, 59, 41)] == [whole[place] for place in (40, 3, 59, 41)]
    assert stream(WeightedDraws(np.arange(1.0, 8), seed=2), 60) != stream(WeightedDraws(np.arange(1.0, 8), seed=3), 60)


def test_the_pool_grows_from_a_quarter_to_all() -> None:
    draws = GrowingDraws(np.arange(100), total=1000)
    # 25 + 75 * place / 600 images, rounded up
    assert [draws.pool(place) for place in (0, 8, 200, 300, 599, 600, 999)] == [25, 26, 50, 63, 100, 100, 100]


def test_a_growing_stream_draws_from_its_pool_without_replacement() -> None:
    order = np.random.default_rng(0).permutation(40)
    draws = GrowingDraws(order, total=400, start=0.25, end=0.5, seed=1)
    drawn = stream(draws, 400)
    rank = np.argsort(order)
    assert all(rank[image] < draws.pool(place) for place, image in enumerate(drawn))
    assert sorted(drawn[:10]) != sorted(drawn[10:20]), "new images come as soon as they are in the pool"
    counts = Counter(drawn)
    assert set(counts) == set(range(40))
    # from the middle of the training on, all images come equally often, except in an unfinished pass
    late = Counter(drawn[200:])
    assert max(late.values()) - min(late.values()) <= 2
    assert counts[int(order[0])] > counts[int(order[-1])]


@pytest.mark.parametrize(("start", "end"), [(1.0, 0.6), (0.25, 0.0)])
def test_a_pool_of_all_images_gives_passes_of_all_images(start: float, end: float) -> None:
    drawn = stream(GrowingDraws(np.arange(9), 90, start, end), 90)
    assert all(sorted(drawn[first : first + 9]) == list(range(9)) for first in range(0, 90, 9))
