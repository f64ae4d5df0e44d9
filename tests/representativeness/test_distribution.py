from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist, jensenshannon, pdist

from detreduce.errors import InputError
from detreduce.representativeness import class_divergence, maximum_mean_discrepancy, size_divergence
from detreduce.representativeness.distribution import divergence_at_random


def plain_mmd(X: np.ndarray, kept: np.ndarray, sigma: float) -> float:
    K = np.exp(-cdist(X, X, "sqeuclidean") / (2 * sigma**2))
    part = K[np.ix_(kept, kept)].mean() - 2 * K[kept].mean() + K.mean()
    return float(np.sqrt(max(part, 0.0)))


@pytest.mark.parametrize(("n", "d"), [(50, 3), (700, 40)])
def test_discrepancy_against_the_kernel_matrix(n: int, d: int) -> None:
    rng = np.random.default_rng(0)
    X, kept = 5.0 + rng.normal(size=(n, d)), rng.permutation(n)[: n // 5]
    found = maximum_mean_discrepancy(X, kept)
    assert found.sigma == pytest.approx(np.median(pdist(X)))
    assert found.value == pytest.approx(plain_mmd(X, kept, found.sigma), rel=1e-6)
    assert maximum_mean_discrepancy(X, kept, 0.7).value == pytest.approx(plain_mmd(X, kept, 0.7), rel=1e-6)
    assert maximum_mean_discrepancy(X, np.arange(n)).value == pytest.approx(0.0, abs=1e-7)


def test_discrepancy_sees_a_shift_and_random_is_what_random_gives() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 2))
    corner = np.argsort(-X.sum(axis=1))[:80]
    drawn = [maximum_mean_discrepancy(X, rng.permutation(400)[:80]) for _ in range(40)]
    assert maximum_mean_discrepancy(X, corner).value > 4 * drawn[0].at_random
    root = np.sqrt(np.mean([found.value**2 for found in drawn]))
    assert drawn[0].at_random == pytest.approx(root, rel=0.2)


def test_a_sample_of_many() -> None:
    X = np.random.default_rng(2).normal(size=(5000, 2))
    corner = np.argsort(-X.sum(axis=1))[:3000]
    some, whole = maximum_mean_discrepancy(X, corner), maximum_mean_discrepancy(X, corner, max_images=None)
    assert not some.exact and whole.exact
    assert some.value == pytest.approx(whole.value, rel=0.1)


def test_class_divergence_by_hand_and_against_scipy() -> None:
    counts = np.array([[3, 0, 0], [0, 2, 0], [1, 1, 4], [0, 0, 1]])
    assert class_divergence(counts, [0, 1, 2, 3]) == pytest.approx(0.0, abs=1e-12)
    # all of one class against half and half: H(3/4, 1/4) - 1/2
    expected = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)) - 0.5
    assert class_divergence(np.array([[1, 0], [0, 1]]), [0]) == pytest.approx(expected)
    theirs = jensenshannon(counts.sum(axis=0), counts[[0, 2]].sum(axis=0), base=2) ** 2
    assert class_divergence(counts, [0, 2]) == pytest.approx(theirs)


@pytest.mark.parametrize("seed", range(5))
def test_class_divergence_of_a_sparse_table_is_that_of_the_dense_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts, kept = rng.poisson(0.3, (30, 7)), rng.choice(30, 9, replace=False)
    assert class_divergence(csr_array(counts), kept) == class_divergence(counts, kept)
    at_random = [divergence_at_random(table, 9, np.random.default_rng(0)) for table in (csr_array(counts), counts)]
    assert at_random[0] == at_random[1] > 0
    with pytest.raises(InputError, match="at least 0"):
        class_divergence(csr_array(-counts), kept)


def test_size_divergence() -> None:
    rng = np.random.default_rng(0)
    sizes, rows = rng.random(3000), rng.integers(300, size=3000)
    sizes[rows < 100] *= 0.3
    assert size_divergence(sizes, rows, np.arange(300)) == pytest.approx(0.0, abs=1e-12)
    fair, small = rng.permutation(300)[:100], np.arange(100)
    assert size_divergence(sizes, rows, small) > 10 * size_divergence(sizes, rows, fair)


def test_estimates_are_right_on_average() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(300, 3))
    kept = np.argsort(X[:, 0] + rng.normal(size=300))[:120]
    whole = maximum_mean_discrepancy(X, kept, 1.5)
    # all roots are of positive numbers, so the squares can be averaged
    squares = [maximum_mean_discrepancy(X, kept, 1.5, max_images=60, seed=seed).value ** 2 for seed in range(300)]
    assert min(squares) > 0
    assert np.mean(squares) == pytest.approx(whole.value**2, rel=0.05)


def test_size_divergence_by_hand() -> None:
    # two bins of two boxes; the kept image has the two small ones
    assert size_divergence([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 2], [0], bins=2) == pytest.approx(
        class_divergence(np.array([[2, 0], [0, 1], [0, 1]]), [0])
    )
    # boxes of equal size share a bin, and a box of unknown size does not count
    assert size_divergence([0.2, 0.2, 0.2, np.nan], [0, 1, 1, 2], [0]) == 0.0
    assert np.isnan(size_divergence([np.nan], [0], [0])) and size_divergence([0.2], [0], [1]) == 1.0


@pytest.mark.parametrize(
    ("sizes", "rows", "options"),
    [([0.1, 0.2], [0], {}), ([0.1], [-1], {}), (["a"], [0], {}), ([0.1], [0.5], {}), ([0.1], [0], {"bins": 0})],
)
def test_boxes_that_cannot_be_counted(sizes: list[object], rows: list[float], options: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"box_sizes|bins=0"):
        size_divergence(sizes, rows, [0], **options)


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"class_counts.*\(n, C\)"):
        class_divergence([[1, 2], [3]], [0])
    with pytest.raises(InputError, match="max_images='all'"):
        maximum_mean_discrepancy(np.eye(3), [0], max_images="all")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="sigma"):
        maximum_mean_discrepancy(np.eye(3), [0], -1.0)
    with pytest.raises(InputError, match="empty"):
        maximum_mean_discrepancy(np.eye(3), [])
