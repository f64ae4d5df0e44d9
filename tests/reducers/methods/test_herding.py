from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.arrays.object_table import ObjectTable
from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.reducers.engine.distances.kernel_mean import KernelMean, centre_and_width
from detreduce.reducers.engine.distances.kernels import FourierMap
from detreduce.reducers.engine.object_reducer import content_column
from detreduce.reducers.methods.herding import ClassMeans


def fit(table: ObjectTable, initial: list[int] | None = None, **params: object):  # type: ignore[no-untyped-def]
    return make_reducer("herding", **{"match": "mmd", **params}).fit(
        np.empty((len(table), 0)), objects=table, initial=initial
    )


def one_class(values: list[float], counts: list[int] | None = None) -> ObjectTable:
    """One class. Each image has a vector (value, 0) and a number of boxes; a count of 0 is an image without boxes."""
    counts = counts or [1] * len(values)
    images = np.repeat(np.arange(len(values)), counts)
    vectors = np.column_stack([np.array(values)[images], np.zeros(len(images))])
    return ObjectTable.from_boxes(images, np.zeros(len(images)), len(values), 1, vectors=vectors)


def random_table(seed: int, n: int, classes: int) -> ObjectTable:
    rng = np.random.default_rng(seed)
    boxes = int(rng.integers(0, 5 * n))
    kinds = rng.integers(classes, size=boxes)
    vectors = rng.normal(size=(boxes, 3)) + 2 * kinds[:, None]
    return ObjectTable.from_boxes(rng.integers(n, size=boxes), kinds, n, classes, vectors=vectors)


def test_class_means_by_hand() -> None:
    # the mean is 2, so 1 comes first; with 5 the kept mean is 3, with 0 it is 0.5; the mean of all three is 2
    reducer = fit(one_class([0, 1, 5]), keep=3, match="class_means")
    assert reducer.selected_idx_.tolist() == [1, 2, 0]
    np.testing.assert_allclose(reducer.objectives_, [1, 1, 0], atol=1e-6)
    assert reducer.scores_.tolist() == [-2, 0, -1]


def test_an_image_counts_as_many_times_as_it_has_boxes() -> None:
    # the mean is (9 * 0 + 10 + 4) / 11; without the nine boxes of image 0 it would be 14 / 3
    reducer = fit(one_class([0, 10, 4], [9, 1, 1]), keep=2, match="class_means")
    assert reducer.selected_idx_[0] == 0
    # with 10 the kept mean is exactly 1, with 4 it is 0.4: 1 is nearer to 14 / 11
    assert reducer.selected_idx_.tolist() == [0, 1]


def test_a_class_that_is_missing_is_worth_keeping() -> None:
    # each image of the second class is far from the class mean, but keeping one never costs anything
    vectors = np.array([[0.0, 0], [0, 0], [0.1, 0], [0, 50], [0, -50]])
    table = ObjectTable.from_boxes([0, 1, 2, 3, 4], [0, 0, 0, 1, 1], 5, 2, vectors=vectors)
    reducer = fit(table, keep=5, match="class_means")
    assert reducer.objectives_[0] == pytest.approx(50 + 0.1 / 3, abs=1e-4)
    assert reducer.objectives_[-1] == pytest.approx(0, abs=1e-4)
    assert (np.diff(reducer.objectives_[:3]) <= 1e-6).all()


def test_mmd_starts_in_the_middle() -> None:
    reducer = fit(one_class([-4, -3, -2, -1, 0, 1, 2, 3, 4]), keep=3)
    # no other image is as near to all as the middle one; then one image on each side
    first, *others = reducer.selected_idx_.tolist()
    assert first == 4 and {row < 4 for row in others} == {True, False}


def test_images_without_boxes_come_last() -> None:
    for match in ("mmd", "class_means"):
        order = fit(one_class([0, 1, 2, 3], [1, 0, 2, 0]), keep=1.0, match=match).selected_idx_.tolist()
        assert set(order[:2]) == {0, 2}


def mmd_matrix(table: ObjectTable, content: np.ndarray) -> np.ndarray:
    assert table.vectors is not None
    vectors = table.vectors.astype(np.float64)
    if table.counts.sum() <= 1000:
        squared = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
        return np.exp(-squared / (2 * centre_and_width(table, content)[1] ** 2))
    features = FourierMap.gaussian(*centre_and_width(table, content))(vectors)
    return features @ features.T


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 20), st.integers(1, 4))
def test_every_pick_leaves_the_least_mmd(seed: int, n: int, classes: int) -> None:
    check_every_pick(random_table(seed, n, classes))


def test_above_a_thousand_boxes_features_stand_for_the_kernel() -> None:
    few = random_table(2, 12, 2)
    many = replace(few, counts=few.counts * 1000)
    check_every_pick(many)
    assert len(KernelMean(many, np.arange(12.0)).sum) == 256


def check_every_pick(table: ObjectTable) -> None:
    reducer = fit(table, keep=1.0)
    filled = np.unique(table.images)
    kernel = mmd_matrix(table, content_column(table, table.counts, table.vectors)[:, 0])
    total = table.counts / table.counts.sum() if len(filled) else table.counts

    def mmd(rows: list[int]) -> float:
        weights = table.counts * np.isin(table.images, rows)
        gap = weights / weights.sum() - total
        return float(gap @ kernel @ gap)

    order = reducer.selected_idx_.tolist()
    for k in range(len(filled)):
        values = {row: mmd([*order[:k], row]) for row in set(filled.tolist()) - set(order[:k])}
        assert values[order[k]] == pytest.approx(min(values.values()), abs=1e-7)
        assert reducer.objectives_[k] == pytest.approx(values[order[k]], abs=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 20), st.integers(1, 4))
def test_every_pick_leaves_the_least_distance_of_means(seed: int, n: int, classes: int) -> None:
    table = random_table(seed, n, classes)
    assert table.vectors is not None
    reducer = fit(table, keep=1.0, match="class_means")
    p = table.vectors.astype(np.float64)

    def mean(c: int, rows: list[int]) -> np.ndarray | None:
        held = (table.classes == c) & np.isin(table.images, rows)
        return np.average(p[held], axis=0, weights=table.counts[held]) if held.any() else None

    def distance(rows: list[int]) -> float:
        total = 0.0
        for c in np.unique(table.classes):
            whole, part = mean(c, list(range(n))), mean(c, rows)
            farthest = np.linalg.norm(p[table.classes == c] - whole, axis=1).max()
            total += float(farthest if part is None else np.linalg.norm(whole - part))
        return total

    filled = set(table.images.tolist())
    order = reducer.selected_idx_.tolist()
    for k in range(len(filled)):
        values = {row: distance([*order[:k], row]) for row in filled - set(order[:k])}
        assert values[order[k]] == pytest.approx(min(values.values()), abs=1e-8)
        assert reducer.objectives_[k] == pytest.approx(values[order[k]], abs=1e-5)


def test_mmd_falls_far_below_that_of_random_subsets() -> None:
    table = random_table(3, 400, 3)
    chosen = fit(table, keep=40).objectives_[-1]
    judge = KernelMean(table, np.arange(400.0))
    rng = np.random.default_rng(0)
    random = []
    for _ in range(20):
        judge.sum[:], judge.kept = 0.0, 0.0
        for row in rng.permutation(400)[:40]:
            judge.keep(int(row))
        random.append(judge.value)
    assert chosen < 0.25 * min(random)


@pytest.mark.parametrize("kind", ["mmd", "class_means"])
def test_what_is_screened_is_what_is_settled_up_to_the_doubt(kind: str) -> None:
    table = random_table(7, 80, 4)
    filled = np.unique(table.images)
    objective = KernelMean(table, np.arange(80.0)) if kind == "mmd" else ClassMeans(table)
    for row in filled[:12].tolist():
        screened, doubt = objective.screen()[filled], objective.doubt(filled)
        exact, rounding = objective.exact(filled)
        assert (np.abs(screened - exact) <= doubt + rounding + 1e-12).all()
        assert (doubt <= objective.worst_doubt() * (1 + 1e-9)).all()
        assert doubt.max() < 1e-3 * np.ptp(exact)
        objective.keep(row)


@pytest.mark.parametrize("d", [1, 5, 300])
def test_fourier_features_stand_for_the_gaussian_kernel(d: int) -> None:
    vectors = np.random.default_rng(1).normal(size=(60, d))
    squared = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    sigma = float(np.sqrt(np.median(squared)))
    exact = np.exp(-squared / (2 * sigma**2))
    features = FourierMap.gaussian(vectors.mean(axis=0), sigma)(vectors)
    np.testing.assert_allclose(np.einsum("ij,ij->i", features, features), 1)
    error = features @ features.T - exact
    assert np.sqrt((error**2).mean()) < 0.06 and abs(error.mean()) < 0.05
    more = FourierMap.gaussian(vectors.mean(axis=0), sigma, count=20_000)(vectors)
    assert np.abs(more @ more.T - exact).max() < 0.04


def test_units_of_the_features_do_not_matter() -> None:
    table = random_table(5, 60, 3)
    assert table.vectors is not None
    for match in ("mmd", "class_means"):
        chosen = []
        for factor in (1.0, 2.0**20, 2.0**-20):
            scaled = ObjectTable(60, 3, table.images, table.classes, table.counts, table.vectors * np.float32(factor))
            chosen.append(fit(scaled, keep=12, match=match).selected_idx_.tolist())
        assert chosen[0] == chosen[1] == chosen[2]


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"match='class_mean' is not one of .* Did you mean 'class_means'"):
        make_reducer("herding", match="class_mean").check_params()
    with pytest.raises(InputError, match="vectors"):
        fit(ObjectTable.from_boxes([0], [0], 2, 1))


@pytest.mark.parametrize("match", ["mmd", "class_means"])
def test_what_is_not_chosen_follows_by_what_one_more_pick_would_leave(match: str) -> None:
    rng = np.random.default_rng(5)
    table = ObjectTable.from_boxes(rng.integers(20, size=50), [0] * 50, 24, 1, vectors=rng.normal(size=(50, 3)))
    reducer = fit(table, keep=6, match=match)
    assert reducer.scores_[reducer.selected_idx_].tolist() == [0, -1, -2, -3, -4, -5]
    filled = np.setdiff1d(table.images, reducer.selected_idx_)
    after = []
    for image in filled.tolist():
        objective = KernelMean(table, np.zeros(24)) if match == "mmd" else ClassMeans(table)
        for row in [*reducer.selected_idx_.tolist(), image]:
            objective.keep(row)
        after.append(objective.value)
    assert np.argsort(-reducer.scores_[filled]).tolist() == np.argsort(after).tolist()
    assert reducer.scores_[filled].max() == -6
    empty = np.setdiff1d(np.arange(24), table.images)
    assert len(empty) and set(reducer.scores_[empty]) == {reducer.scores_.min()}
    assert reducer.scores_[empty].max() < reducer.scores_[filled].min()


def test_the_default_is_what_the_results_support() -> None:
    table = random_table(3, 60, 3)
    plain = make_reducer("herding", keep=9).fit(np.empty((60, 0)), objects=table)
    means, mmd = (fit(table, keep=9, match=match) for match in ("class_means", "mmd"))
    assert plain.selected_idx_.tolist() == means.selected_idx_.tolist() != mmd.selected_idx_.tolist()
