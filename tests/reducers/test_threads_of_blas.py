"""The number of threads of BLAS and of processors changes no bit of a choice."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from detreduce.machine import parallel
from detreduce.reducers import make_reducer

METHODS = ("mms", "clc", "rkm", "facility", "fes", "moderate", "gradmatch", "extrapolate")


@pytest.mark.parametrize("method", METHODS)
def test_threads_change_no_bit(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((30, 257))[rng.integers(30, size=701)] + rng.standard_normal((701, 257))).astype(
        np.float32
    )
    X[10:40] = X[0]
    categories = rng.integers(3, size=701)
    found = []
    for threads in (1, 2, 4):
        monkeypatch.setattr(parallel, "processors", lambda threads=threads: threads)
        with threadpool_limits(threads):
            reducer = make_reducer(method, keep=0.2).fit(X, categories)
        found.append((reducer.ranking_.tobytes(), reducer.scores_.tobytes()))
    assert found[1:] == found[:1] * 2
