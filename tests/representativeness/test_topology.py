from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.errors import InputError
from detreduce.representativeness import covering_radius, diagram_distance


@given(st.integers(0, 10_000), st.integers(3, 30), st.sampled_from([1.0, 1e4]))
@settings(max_examples=15, deadline=None)
def test_the_bottleneck_is_at_most_twice_the_hausdorff_distance(seed: int, k: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    X = scale * rng.normal(size=(60, 3))
    kept = rng.permutation(60)[:k]
    found = diagram_distance(X, kept, max_points=None)
    assert 0 < found.value <= 2 * covering_radius(X, None, kept) * (1 + 1e-6)
    assert found.exact and found.value == max(found.by_dimension.values())


def test_by_hand() -> None:
    # bars of 1, 1 and 8 in dimension 0; without the image at 10, bars of 1 and 1: the bar of 8 goes to the diagonal
    X = np.array([[0.0], [1.0], [2.0], [10.0]])
    assert diagram_distance(X, [0, 1, 2], dimensions=[0]).value == pytest.approx(4.0)
    assert diagram_distance(X, [0, 1, 2], dimensions=[0], metric="wasserstein").value == pytest.approx(4.0, rel=0.02)
    assert diagram_distance(X, [0, 1, 2, 3]).value == 0.0


def test_a_lost_loop_is_seen() -> None:
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    X = np.column_stack([np.cos(angle), np.sin(angle)])
    every_other, half = diagram_distance(X, np.arange(0, 60, 2)), diagram_distance(X, np.arange(30))
    # the loop is born at a chord between neighbours and filled at sqrt 3: its distance to the diagonal is half the
    # difference
    assert half.by_dimension[1] == pytest.approx((np.sqrt(3) - 2 * np.sin(np.pi / 60)) / 2, rel=1e-3)
    assert every_other.by_dimension[1] < 0.2


def test_samples_are_seeded() -> None:
    X = np.random.default_rng(0).normal(size=(400, 2))
    one, same = (diagram_distance(X, np.arange(200), max_points=100, seed=1) for _ in range(2))
    assert one == same and not one.exact


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"metric": "botleneck"}, "Did you mean 'bottleneck'"),
        ({"dimensions": [-1]}, "dimensions"),
        ({"dimensions": 1}, "dimensions"),
        ({"dimensions": [1, 1]}, "dimensions"),
        ({"max_points": 0}, "max_points=0"),
    ],
)
def test_refusals(options: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        diagram_distance(np.eye(4), [0, 1], **options)  # type: ignore[arg-type]
