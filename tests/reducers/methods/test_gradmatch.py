"""Matching pursuit by hand, against a plain version with SciPy's non-negative least squares, and at scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.reducers.methods.gradmatch import MOST, MatchingPursuit, Picks


def pursue(G: np.ndarray, count: int, tolerance: float = 0.0, by: str = "cosine") -> Picks:
    return MatchingPursuit(G, np.arange(len(G)), tolerance, by).choose(np.empty(0, np.int64), count)


def test_by_hand() -> None:
    G = np.array([[4.0, 0.0], [0.0, 2.0], [1.0, 3.0], [3.0, -1.0]])
    assert G.mean(axis=0).tolist() == [2.0, 1.0]
    # the first row lies nearest the mean and has the largest product, 8; its weight of 1/2 leaves (0, 1)
    cosine = pursue(G, 2)
    assert cosine.order.tolist() == [0, 1], "the second row points where (0, 1) does"
    assert cosine.weights.tolist() == pytest.approx([1 / 2, 1 / 2, 0, 0])
    product = pursue(G, 2, by="product")
    assert product.order.tolist() == [0, 2], "3 > 2"
    # 4 a + b = 2, 3 b = 1
    assert product.weights.tolist() == pytest.approx([5 / 12, 0, 1 / 3, 0])
    for found in (cosine, product):
        assert found.residuals.tolist() == pytest.approx([1 / np.sqrt(5), 0.0])


def plain(G: np.ndarray, count: int, tolerance: float, by: str) -> tuple[list[int], list[float]]:
    """The same pursuit by its definition, with each fit from scratch."""
    target, order, left, members, shares = G.mean(axis=0), [], G.mean(axis=0), [], []
    lengths = np.linalg.norm(G, axis=1) if by == "cosine" else 1.0
    for _ in range(count):
        agrees = G @ left / lengths
        agrees[order] = -np.inf
        done = np.linalg.norm(left) <= tolerance * np.linalg.norm(target)
        if members and (agrees.max() <= 0 or done or len(members) >= MOST):
            members, left = [], target
            agrees = G @ left / lengths
            agrees[order] = -np.inf
        row = int(agrees.argmax())
        order.append(row)
        members.append(row)
        weights, _ = nnls(G[members].T, target)
        left = target - weights @ G[members]
        shares.append(float(np.linalg.norm(left) / np.linalg.norm(target)))
    return order, shares


@pytest.mark.parametrize("by", ["cosine", "product"])
@pytest.mark.parametrize(("n", "d", "tolerance"), [(40, 60, 0.0), (40, 5, 0.1), (60, 8, 0.3), (30, 1, 0.1)])
def test_as_by_definition(n: int, d: int, tolerance: float, by: str) -> None:
    G = np.random.default_rng(n + d).normal(size=(n, d)) + 0.3
    found = pursue(G, n, tolerance, by)
    order, shares = plain(G, n, tolerance, by)
    assert found.order.tolist() == order
    np.testing.assert_allclose(found.residuals, shares, atol=1e-6)
    assert (found.weights >= 0).all()


def test_within_a_round_ever_less_is_left() -> None:
    G = np.random.default_rng(0).normal(size=(200, 100)) + 0.2
    found = pursue(G, 40)
    assert (np.diff(found.residuals) <= 1e-12).all()
    random = np.random.default_rng(1).permutation(200)[:40]
    _, left = nnls(G[random].T, G.mean(axis=0))
    assert found.residuals[-1] < 0.7 * left / np.linalg.norm(G.mean(axis=0)), "better than a random draw's best weights"


def test_more_images_than_columns_go_on_in_rounds() -> None:
    G = np.random.default_rng(0).normal(size=(50, 3)) + 1
    reducer = make_reducer("gradmatch", keep=50).fit(G)
    residuals = reducer.residuals_[0]
    assert len(set(reducer.selected_idx_)) == 50
    assert (np.diff(residuals) > 0).sum() >= 5, "new rounds begin"
    assert reducer.scores_[reducer.selected_idx_].tolist() == [-float(place) for place in range(50)]


def test_the_largest_round_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    from detreduce.reducers.methods import gradmatch

    monkeypatch.setattr(gradmatch, "MOST", 4)
    G = np.random.default_rng(0).normal(size=(30, 40)) + 0.5
    found = pursue(G, 9)
    assert (np.diff(found.residuals) > 0).nonzero()[0].tolist() == [3, 7]
    agrees = G @ G.mean(axis=0) / np.linalg.norm(G, axis=1)
    agrees[found.order[:4]] = -np.inf
    assert found.order[4] == agrees.argmax()


def test_images_chosen_before_are_matched_with() -> None:
    G = np.array([[4.0, 0.0], [0.0, 1.0], [3.9, 0.1], [0.1, 3.0]])
    free = make_reducer("gradmatch", keep=1).fit(G)
    assert free.selected_idx_.tolist() == [2]
    after = make_reducer("gradmatch", keep=2).fit(G, initial=[0])
    assert after.selected_idx_.tolist() == [0, 1], "what row 0 leaves is the other direction"


def test_weights_are_each_categorys_own() -> None:
    G = np.random.default_rng(0).normal(size=(40, 20)) + 0.5
    y = np.arange(40) % 2
    reducer = make_reducer("gradmatch", keep=0.5).fit(G, y)
    assert (reducer.weights_[~reducer.get_support()] == 0).all()
    for code in (0, 1):
        alone = make_reducer("gradmatch", keep=int(reducer.seats_[code])).fit(G[y == code])
        mine = reducer.selected_idx_[y[reducer.selected_idx_] == code]
        np.testing.assert_array_equal(np.flatnonzero(y == code)[alone.selected_idx_], mine)
        np.testing.assert_allclose(alone.weights_, reducer.weights_[y == code])


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        *(({"tolerance": bad}, "tolerance") for bad in (1.0, -0.1, True, "0.1", float("nan"))),
        ({"by": "cosin"}, "Did you mean 'cosine'"),
    ],
)
def test_refusals(bad: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make_reducer("gradmatch", **bad).fit(np.eye(4))


def test_what_is_not_chosen_follows_by_its_agreement_with_what_is_left() -> None:
    # with 1/2 of the first row, (0, 1) is left: the second row points there, the last row points away
    G = np.array([[4.0, 0.0], [0.0, 2.0], [1.0, 3.0], [3.0, -1.0]])
    reducer = make_reducer("gradmatch", keep=1, tolerance=0.0).fit(G)
    assert reducer.scores_.tolist() == [0, -1, -2, -3]
    # with the second row too, nothing is left; a new round begins with the mean, (2, 1): 5 / 10^(1/2) each
    reducer = make_reducer("gradmatch", keep=2, tolerance=0.0).fit(G)
    assert reducer.scores_.tolist() == [0, -1, -2, -2]
