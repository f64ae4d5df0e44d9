"""Average ranks, compared with scipy and the tables of Demsar (2006)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from detreduce.experiment.statistics.ranks import MethodRanks, nemenyi, rank_methods


def table(figures: dict[str, list[float | None]], **extra: object) -> list[dict]:
    """Blocks are the training seeds."""
    return [
        {"label": label, "control": None, "keep": 0.25, "training_seed": seed, "mAP50_95": figure, **extra}
        for label, row in figures.items()
        for seed, figure in enumerate(row)
    ]


def test_critical_differences_are_the_published_ones() -> None:
    # Demsar: q 2.569 for 4 classifiers, 14 data sets: 1.25; q of 2, 5 and 10: 1.960, 2.728, 3.164
    assert nemenyi(4, 14) == pytest.approx(1.25, abs=0.005)
    for methods, q in ((2, 1.960), (5, 2.728), (10, 3.164)):
        assert nemenyi(methods, 6) == pytest.approx(q * math.sqrt(methods * (methods + 1) / 36), rel=1e-3)


def test_ranks_by_hand() -> None:
    found = rank_methods(table({"a": [0.5, 0.6, 0.7], "b": [0.4, 0.6, 0.8], "c": [0.3, 0.2, 0.1]}))
    assert found is not None
    # seed 0: 1 2 3, seed 1: 1.5 1.5 3, seed 2: 2 1 3
    assert found.average == pytest.approx({"a": 1.5, "b": 1.5, "c": 3.0})
    assert list(found.average)[-1] == "c"
    assert (found.blocks, found.left_out) == (3, 0)


def test_p_is_friedmans() -> None:
    random = np.random.default_rng(0)
    figures = {name: random.normal(shift, 1, 12).tolist() for name, shift in (("a", 0), ("b", 0.5), ("c", 1))}
    found = rank_methods(table(figures))
    assert found is not None
    assert found.p == pytest.approx(stats.friedmanchisquare(*figures.values()).pvalue)
    assert found.average == pytest.approx(
        dict(zip("abc", stats.rankdata(-np.array(list(figures.values())), axis=0).mean(axis=1), strict=True))
    )


def test_blocks_without_every_method_are_left_out() -> None:
    rows = table({"a": [0.5, 0.6], "b": [0.4, None]}) + table({"a": [0.1]}, keep=0.5)
    found = rank_methods(rows)
    assert found is not None
    assert (found.blocks, found.left_out, found.average) == (1, 2, {"a": 1.0, "b": 2.0})
    assert math.isnan(found.p), "Friedman's test is of three or more"


def test_keeps_and_datasets_are_blocks_of_their_own_and_repeats_count_by_their_mean() -> None:
    figures: dict[str, list[float | None]] = {"a": [0.5], "b": [0.4]}
    rows = table(figures) + table(figures, keep=0.5) + table(figures, dataset="other")
    # a second selection of b; the mean of both selections is better than a in this block
    rows += table({"b": [0.8]}, dataset="other")
    found = rank_methods(rows)
    assert found is not None
    assert (found.blocks, found.average) == (3, pytest.approx({"a": 4 / 3, "b": 5 / 3}))


def test_one_image_and_all_images_are_blocks_of_their_own() -> None:
    few: dict[str, list[float | None]] = {"a": [0.1], "b": [0.2]}
    rows = table(few, keep=1) + table({"a": [0.9], "b": [0.3]}, keep=1.0)
    found = rank_methods(rows)
    assert found is not None and (found.blocks, found.average) == (2, {"a": 1.5, "b": 1.5})


def test_nothing_to_rank() -> None:
    assert rank_methods(table({"a": [0.5]})) is None
    assert rank_methods(table({"a": [0.5]}) + table({"full": [0.9]}, control="full")) is None
    same = rank_methods(table({"a": [0.5], "b": [0.5], "c": [0.5]}))
    assert same is not None and math.isnan(same.p)


def test_what_the_ranks_show_is_said_in_words() -> None:
    one = MethodRanks({"srs": 1.0, "mms": 2.0}, blocks=3, left_out=1, p=math.nan, critical_difference=1.13)
    assert one.in_words().startswith("Ranks closer than 1.1 are not shown to differ")
    assert one.in_words().endswith("1 block lacks a method and is left out.")
    more = replace(one, left_out=2, p=0.0004).in_words()
    assert "p < 0.001. Ranks" in more
    assert more.endswith("2 blocks lack a method and are left out.")
