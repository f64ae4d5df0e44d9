from __future__ import annotations

import numpy as np

from detreduce.reducers.engine.scaling import standardised


def test_standardised() -> None:
    X = np.random.default_rng(0).normal(size=(50, 3)) * [1e-5, 1.0, 1e200] + [1.0, 1e3, 0.0]
    Z = standardised(np.hstack([X, np.full((50, 1), 0.1)]))
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(Z.std(axis=0), [1, 1, 1, 0], atol=1e-9)
