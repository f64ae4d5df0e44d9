"""Intervals compared with scipy if there is a closed form, and with simulations otherwise."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detreduce.experiment.statistics.intervals import PairedDifference

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "benchmarks" / "intervals.py"
values = st.lists(st.floats(-1, 1).map(lambda x: round(x, 4)), min_size=2, max_size=12)


def pair(differences: list[float], image_spread: float = 0.0, resamples: int = 2000) -> PairedDifference:
    shift = np.random.default_rng(0).normal(0, image_spread, resamples)
    resampled = np.array(differences)[:, None] + shift if image_spread else None
    return PairedDifference(np.array(differences), resampled)


@given(values)
def test_over_seeds_it_is_students_t(differences: list[float]) -> None:
    found = pair(differences)
    for level in (0.8, 0.95, 0.99):
        if found.spread:
            expected = stats.ttest_1samp(differences, 0).confidence_interval(level)
            interval = found.interval(level)
            assert interval is not None
            assert (interval.low, interval.high) == pytest.approx(tuple(expected), rel=1e-6, abs=1e-9)
        else:
            assert found.interval(level) is None
    if found.spread:
        assert found.doubt() == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=1e-6, abs=1e-12)


def test_over_images_it_is_the_percentiles() -> None:
    found = pair([0.1, 0.12], image_spread=0.02)
    interval = found.over_images()
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.11 - 0.0392, 0.11 + 0.0392), abs=0.002)
    assert pair([0.1, 0.12]).over_images() is None


def test_over_both_it_is_the_sum_of_both() -> None:
    """With many seeds, both parts are Gaussian, and their variances add up."""
    random = np.random.default_rng(1)
    differences = random.normal(0.05, 0.1, 100)
    found = pair(differences.tolist(), image_spread=0.01, resamples=20_000)
    interval = found.interval()
    assert interval is not None
    half = stats.norm.ppf(0.975) * np.hypot(np.std(differences, ddof=1) / 10, 0.01)
    assert interval.high - found.mean == pytest.approx(half, rel=0.03)
    assert found.mean - interval.low == pytest.approx(half, rel=0.03)


@given(values, st.floats(0.001, 0.3))
def test_the_interval_over_both_holds_that_over_seeds_and_doubt_agrees_with_it(
    differences: list[float], image_spread: float
) -> None:
    found = pair(differences, image_spread, resamples=200)
    if not found.spread:
        return
    both, alone = found.interval(), found.over_seeds()
    assert both is not None and alone is not None
    assert both.high - both.low >= (alone.high - alone.low) * (1 - 1e-6)
    doubt = found.doubt()
    if doubt < 0.99:
        assert 0 not in found.interval(1 - min(0.999, doubt * 1.05 + 1e-6))  # type: ignore[operator]
    if doubt > 1e-6:
        assert 0 in found.interval(1 - doubt * 0.95)  # type: ignore[operator]


def test_resamples_that_lie_higher_do_not_move_it() -> None:
    """Repeated images raise mAP. Only the variation of the mAP counts."""
    found = pair([0.1, 0.12, 0.09], image_spread=0.02)
    assert found.resampled is not None
    higher = PairedDifference(found.differences, found.resampled + 0.3)
    assert higher.interval().low == pytest.approx(found.interval().low, abs=1e-9)  # type: ignore[union-attr]


def test_one_seed_or_no_spread_has_no_interval() -> None:
    for found in (pair([0.1]), pair([0.1, 0.1, 0.1]), pair([0.1 + 1e-17, 0.3 - 0.2])):
        assert found.interval() is None and found.detectable() is None
        assert found.doubt() == 1.0


@pytest.mark.parametrize(("seeds", "alpha"), [(2, 0.05), (3, 0.05), (3, 0.05 / 7), (5, 0.05), (10, 0.05 / 21)])
def test_what_is_detectable_is_detected_four_times_in_five(seeds: int, alpha: float) -> None:
    """The detectable difference by simulation with a known true spread, without the non-central t."""
    random = np.random.default_rng(0)
    exact = np.linspace(-1, 1, seeds)
    found = PairedDifference(exact / np.std(exact, ddof=1)).detectable(alpha)
    assert found is not None
    draws = random.normal(found, 1, (100_000, seeds))
    t = draws.mean(axis=1) / draws.std(axis=1, ddof=1) * np.sqrt(seeds)
    assert np.mean(t > stats.t.isf(alpha / 2, seeds - 1)) == pytest.approx(0.8, abs=0.005)


def test_images_add_to_what_must_be_there_to_be_detected() -> None:
    seeds, both = pair([0.1, 0.12, 0.09]).detectable(), pair([0.1, 0.12, 0.09], 0.02, 50_000).detectable()
    assert seeds is not None and both is not None
    assert both == pytest.approx(np.hypot(seeds, (1.95996 + 0.84162) * 0.02), rel=0.01)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_hold_the_truth_as_often_as_they_say(seeds: int) -> None:
    """Intervals from resampling three seeds do not contain the true value often enough: the reason for Student's t."""
    script = runpy.run_path(str(SCRIPT))
    experiments, parts = 200, (1.0, 0.3, 0.3)
    held = script["coverage"]("Gaussian", parts, seeds, 60, experiments, resamples=200)
    # three standard errors of a share of 200 experiments
    assert held["seeds and images"] > 0.95 - 3 * np.sqrt(0.95 * 0.05 / experiments)
    assert held["resampled seeds"] < 0.9
    assert held["resampled both"] < held["seeds and images"]
