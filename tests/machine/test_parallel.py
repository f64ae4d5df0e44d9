from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from detreduce.machine import parallel
from detreduce.machine.parallel import in_threads, one_blas_thread, product, slices
from detreduce.machine.processors import processors


def blas_threads() -> set[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_results_come_in_order_and_blas_gets_its_threads_back() -> None:
    before = blas_threads()

    def work(item: int) -> tuple[int, set[int]]:
        time.sleep(0.002 * (item % 3))
        return item, blas_threads()

    results = list(in_threads(work, range(40)))
    assert [item for item, _ in results] == list(range(40))
    assert all(threads == {1} for _, threads in results)
    assert blas_threads() == before
    assert list(in_threads(work, [])) == []


def test_no_more_than_a_few_results_wait() -> None:
    started: list[int] = []
    results = in_threads(lambda item: started.append(item), range(1000))
    next(results)
    time.sleep(0.05)
    assert len(started) <= 2 * processors() + 1
    results.close()  # type: ignore[attr-defined]


def test_an_error_ends_it_and_the_rest_is_not_begun() -> None:
    done: list[int] = []
    lock = threading.Lock()

    def work(item: int) -> None:
        if item == 3:
            raise KeyboardInterrupt
        with lock:
            done.append(item)
        time.sleep(0.001)

    with pytest.raises(KeyboardInterrupt):
        list(in_threads(work, range(10_000)))
    assert len(done) <= 3 + 2 * processors() + 1


def test_slices_cover_all_rows() -> None:
    assert slices(0, 4) == [] and slices(4, 4) == [slice(0, 4)]
    assert slices(10, 4) == [slice(0, 4), slice(4, 8), slice(8, 10)]


@pytest.mark.parametrize(("m", "n"), [(3, 5), (2000, 70), (70, 2000), (0, 3), (513, 513)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_product_is_the_same_for_every_number_of_processors(
    m: int, n: int, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "PART", 2**12)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, 40)).astype(dtype), rng.standard_normal((n, 40)).astype(dtype)
    found = []
    for count in (1, 2, 4):
        monkeypatch.setattr(parallel, "processors", lambda count=count: count)
        with one_blas_thread():
            found.append(product(a, b))
    assert found[0].dtype == dtype and found[0].shape == (m, n)
    np.testing.assert_allclose(found[0], a.astype(float) @ b.T.astype(float), atol=1e-4)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
