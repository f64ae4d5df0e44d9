"""The screen of orientations finds the same candidates as the comparison of all pictures in all orientations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from detreduce.duplicates.pixels import matching
from detreduce.duplicates.pixels.descriptors import OrientationScreen, describe, in_all_orientations
from detreduce.duplicates.pixels.matching import PixelComparison, star_groups
from detreduce.duplicates.pixels.orientations import ORIENTATIONS


def made_pictures(count: int, seed: int = 0) -> np.ndarray:
    """Return random pictures with the spectrum of photographs. Every fifth is a noisy, turned copy of another."""
    draw = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(64) * 64, np.fft.rfftfreq(64) * 64, indexing="ij"))
    frequency[0, 0] = 1
    shape = (count, 64, 33)
    waves = np.fft.irfft2((draw.normal(size=shape) + 1j * draw.normal(size=shape)) / frequency**1.5, s=(64, 64))
    for copy in range(4, count, 5):
        turned = ORIENTATIONS[int(draw.integers(8))].apply(waves[int(draw.integers(copy))])
        waves[copy] = turned + draw.choice([0.1, 0.5, 0.9, 1.3]) * turned.std() / waves[copy].std() * waves[copy]
    waves /= waves.std(axis=(1, 2), keepdims=True)
    return np.clip(waves * 50 + 128, 0, 255).astype(np.uint8)


def test_largest_correlation_in_any_orientation() -> None:
    rows = describe(made_pictures(300))
    queries, others = rows[:40], np.arange(40, 300)
    expected = (in_all_orientations(queries).reshape(-1, rows.shape[1]) @ rows[others].T).max(axis=0)
    screen = OrientationScreen(rows)
    for least in (0.45, 0.65, 0.8):
        passes = screen.of(queries, least)(others)
        assert passes[expected >= least].all()
        assert not passes[expected < least - 1e-3].any()
        assert 0 < passes.sum() < len(others)


def test_same_candidates_and_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = PixelComparison(made_pictures(2600))
    queries, against = np.arange(128), np.arange(128, 2600)[::-1].copy()
    order = np.random.default_rng(1).permutation(2600)
    with ThreadPoolExecutor(2) as pool:
        found = comparison.search(queries, against, pool)
        groups = star_groups(comparison, order, 0.85)
        monkeypatch.setattr(OrientationScreen, "of", lambda *_: None)
        expected = comparison.search(queries, against, pool)
        assert groups == star_groups(comparison, order, 0.85)
    assert len(groups) > 100
    assert any(len(one.places) for one in found)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.places, other.places)
        assert np.array_equal(one.orientations, other.orientations)


def test_screen_that_lets_most_pictures_pass_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.ones((20_000, 4), np.float32)
    calls: list[int] = []

    def screen(columns: np.ndarray) -> np.ndarray:
        calls.append(len(columns))
        return np.ones(len(columns), bool)

    with ThreadPoolExecutor(1) as pool:
        hits = matching._find_hits(rows[:2], rows, np.arange(20_000), 0.5, pool, screen)
    assert len(hits[0]) == 40_000
    assert len(calls) < 10
