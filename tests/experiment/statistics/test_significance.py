"""Exact p and Holm's adjustment, compared with scipy and published tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from detreduce.experiment.statistics.significance import holm, sign_flip_p


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-5, 9), min_size=6, max_size=10))
@example([0, 0, 0, 0, 0, 0, 4, 5, -4, -5])
def test_p_is_scipys_exact_permutation_test(numbers: list[int]) -> None:
    differences = np.array(numbers) / 100
    if not differences.any():
        assert sign_flip_p(differences) == 1
        return
    expected = stats.permutation_test(
        # whole numbers, because scipy compares their sums without rounding errors; p does not depend on the scale
        (np.array(numbers, float),),
        lambda x, axis: x.sum(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    # scipy doubles the smaller tail; for flips of sign, both tails are equal
    assert sign_flip_p(differences) == pytest.approx(min(1.0, expected.pvalue), abs=1e-12)


def test_fewer_than_six_pairs_have_no_p() -> None:
    assert [sign_flip_p([0.1] * n) for n in range(1, 6)] == [None] * 5
    assert sign_flip_p([0.1, 0.2, 0.3, 0.1, 0.2, 0.3]) == 2 / 64
    assert sign_flip_p(np.linspace(0.1, 1, 10)) == 2 / 1024


def test_rounding_does_not_tell_equal_sums_apart() -> None:
    # 0.1 + 0.2 - 0.3 is not zero in floating point: 6 signs whose sums are 0 or as extreme as the observed
    assert sign_flip_p([0.1, 0.2, -0.3, 0.1, 0.2, -0.3]) == 1


def test_many_pairs_are_sampled() -> None:
    differences = np.random.default_rng(0).normal(0.3, 1, 25)
    found = sign_flip_p(differences)
    assert found == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.02)
    assert found == sign_flip_p(differences)


def test_holm_by_hand() -> None:
    # sorted 0.01 0.02 0.03 0.04 times 4 3 2 1: 0.04 0.06 0.06 0.04, never falling: 0.04 0.06 0.06 0.06
    assert holm([0.02, 0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.06, 0.04, 0.06])
    assert holm([None, 0.04, None]) == [None, 0.04, None]
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_lies_between_the_plain_and_bonferronis(values: list[float]) -> None:
    adjusted = holm(values)
    for plain, one in zip(values, adjusted, strict=True):
        assert one is not None and plain <= one <= min(1.0, plain * len(values))
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(np.array(adjusted, float)[order]) >= 0)
