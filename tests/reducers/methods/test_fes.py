from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier

from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.reducers.methods.fes import forgetting_events


def test_forgetting_events_by_hand() -> None:
    right = np.array([[1, 1, 0, 0, 1], [1, 0, 0, 1, 0], [1, 1, 0, 0, 0], [1, 0, 0, 1, 1]], bool)
    assert forgetting_events(right).tolist() == [0, 2, 4, 1, 1]
    assert forgetting_events(right[:1]).tolist() == [0, 0, 1, 1, 0]


def two_groups() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [40, 30])
    X = rng.normal(size=(70, 4)) + 8.0 * y[:, None]
    X[[5, 50]] = X[[50, 5]]  # two images in the middle of the other category
    return X, y


def test_images_never_learnt_come_first() -> None:
    X, y = two_groups()
    from sklearn.naive_bayes import GaussianNB

    for classifier in (None, GaussianNB()):
        reducer = make_reducer("fes", keep=2, epochs=4, classifier=classifier).fit(X, y)
        assert sorted(reducer.selected_idx_.tolist()) == [5, 50]
    assert reducer.scores_.tolist() == [4.0 if row in (5, 50) else 0.0 for row in range(70)]


def test_large_features_do_not_upset_the_classifier() -> None:
    X, y = two_groups()
    plain, large = (make_reducer("fes", epochs=5).fit(form, y) for form in (X, 2.0**20 * X))
    np.testing.assert_array_equal(plain.scores_, large.scores_)


class Scripted:
    """Return records that are right on even rows, and wrong on odd rows after the first epoch."""

    def __init__(self) -> None:
        self.epoch = 0

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {}

    def partial_fit(self, X: np.ndarray, y: np.ndarray, classes: np.ndarray) -> None:
        assert X.dtype == np.float32
        self.y, self.epoch = y, self.epoch + 1

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.where((np.arange(len(X)) % 2 == 0) | (self.epoch == 1), self.y, -1)


def test_any_classifier_by_the_epoch() -> None:
    X, y = two_groups()
    reducer = make_reducer("fes", keep=10, epochs=3, classifier=Scripted()).fit(X, y)
    assert reducer.scores_.tolist() == [0.0, 1.0] * 35
    assert (reducer.selected_idx_ % 2 == 1).all()


def test_one_category_is_a_draw() -> None:
    with pytest.warns(UserWarning, match="one category"):
        make_reducer("fes", keep=3).fit(np.eye(9))


@pytest.mark.parametrize(
    ("bad", "says"),
    [({"epochs": 0}, "epochs"), ({"classifier": 3}, "partial_fit"), ({"classifier": SGDClassifier}, "is a class")],
)
def test_refusals(bad: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make_reducer("fes", **bad).fit(np.eye(4), [0, 0, 1, 1])


def test_ctrl_c_ends_the_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.neural_network import MLPClassifier

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MLPClassifier, "_backprop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_reducer("fes").fit(np.eye(8), [0, 1] * 4)
