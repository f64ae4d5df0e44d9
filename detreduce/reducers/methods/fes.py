"""Forgetting events (fes): prefer images whose category a small classifier learns and forgets again."""

from __future__ import annotations

import numbers
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from detreduce.display.progress import progress
from detreduce.errors import InputError, RandomDrawWarning
from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool, derive_rng
from detreduce.reducers.engine.ranking import FitInput
from detreduce.reducers.engine.scaling import standardised


class ForgettingEvents(ScoringReducer):
    """Forgetting events: prefer images whose image category a small classifier learns and forgets again.

    The classifier learns to predict the image category from the features. An image has a forgetting event if it is
    classified correctly after one epoch and wrongly after the next epoch. An image that is never classified correctly
    has one event for every epoch. scores_ is the number of events. Many images have equal scores, and the seed decides
    between them. If there is only one category, there are no events. Then the choice is random, and there is a warning.

    Parameters
    ----------
    epochs
        Number of passes over the images, at least 1.
    classifier
        A scikit-learn classifier with `partial_fit`, which is called once per epoch with the standardised features,
        (n, d) float32. None means a neural network with one hidden layer of 128 units.
    keep, random_state
        See BaseReducer. The seed initialises the classifier and shuffles its batches.
    """

    name = "fes"
    family = "wrapper"
    needs = ("features", "categories")
    cost = "n * (d + C) * 128 * epochs"
    source = "forgetting events, Toneva et al. 2019 (ICLR, arXiv 1812.05159); a wrapper method in arXiv 2403.15150"
    summary = "the images whose category a small classifier forgets most often"
    keeps = "hard"
    fails = "Mislabelled images come first. If nothing is forgotten, as with one category, the choice is random."
    deterministic = False

    def __init__(
        self, *, keep: int | float = 0.25, epochs: int = 20, classifier: Any = None, random_state: Any = 0
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.epochs = epochs
        self.classifier = classifier

    def _check_params(self) -> None:
        if isinstance(self.epochs, bool) or not isinstance(self.epochs, numbers.Integral) or self.epochs < 1:
            raise InputError(f"epochs={self.epochs!r} is not a number of epochs. Use an integer of at least 1.")
        if self.classifier is not None and not hasattr(self.classifier, "partial_fit"):
            raise InputError(
                f"classifier={self.classifier!r} cannot be trained epoch by epoch, because it does not have "
                "partial_fit. Use a classifier with partial_fit, such as SGDClassifier()."
            )
        if isinstance(self.classifier, type):
            raise InputError(
                f"classifier={self.classifier.__name__} is a class. Pass an instance, such as SGDClassifier()."
            )

    def _prepare(self, problem: FitInput) -> FloatArray:
        if len(problem.labels) == 1:
            warnings.warn(
                "The choice of fes is random: all images are in one category, so there are no forgetting events.",
                RandomDrawWarning,
                stacklevel=4,
            )
            return np.zeros(len(problem.codes))
        X = standardised(problem.X, np.float32)
        seed = int(derive_rng(problem.seed, "fes").integers(2**31))
        model = self._model(seed)
        classes = np.arange(len(problem.labels))
        right = np.empty((int(self.epochs), len(X)), bool)
        with progress("fes", int(self.epochs), "epochs") as advance:
            for epoch in range(int(self.epochs)):
                _one_epoch(model, X, problem.codes, classes)
                right[epoch] = model.predict(X) == problem.codes
                advance()
        return forgetting_events(right)

    def _model(self, seed: int) -> Any:
        """Return a new, untrained classifier with this seed."""
        if self.classifier is None:
            from sklearn.neural_network import MLPClassifier

            return MLPClassifier((128,), random_state=seed)
        model = clone(self.classifier)
        if "random_state" in model.get_params():
            model.set_params(random_state=seed)
        return model

    def _score(self, pool: Pool) -> FloatArray:
        return pool.shared[pool.rows]


def _one_epoch(model: Any, X: npt.NDArray[np.float32], codes: IntArray, classes: IntArray) -> None:
    """Train the classifier for one epoch.

    On Ctrl-C, scikit-learn's networks only warn. This function raises KeyboardInterrupt instead.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Training interrupted by user")
        try:
            model.partial_fit(X, codes, classes=classes)
        except UserWarning as warning:
            if "interrupted by user" in str(warning):
                raise KeyboardInterrupt from None
            raise


def forgetting_events(right: npt.NDArray[np.bool_]) -> FloatArray:
    """Return (n,) the number of forgetting events of each image.

    `right` (E, n) says whether each image was classified correctly after each epoch. An event is a change from True to
    False. An image that was never classified correctly has E events.
    """
    events = (right[:-1] & ~right[1:]).sum(axis=0).astype(np.float64)
    return np.where(right.any(axis=0), events, float(len(right)))
