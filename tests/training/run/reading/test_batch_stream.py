from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detreduce.training.run.reading.batch_stream import BatchStream
from detreduce.training.streams.draw import GrowingDraws, WeightedDraws


def uniform(images: int, per_epoch: int, batch: int, seed: int = 0) -> BatchStream:
    return BatchStream(WeightedDraws(np.ones(images), seed), per_epoch, batch)


def test_batches_are_those_of_a_smaller_dataset_and_images_those_of_all() -> None:
    stream = uniform(images=10, per_epoch=7, batch=3)
    epochs = [list(stream) for _ in range(10)]
    assert [[len(batch) for batch in epoch] for epoch in epochs] == [[3, 3, 1]] * 10
    assert len(stream) == 3
    drawn = list(chain.from_iterable(chain.from_iterable(epochs)))
    passes = [drawn[start : start + 10] for start in range(0, 70, 10)]
    assert all(sorted(one) == list(range(10)) for one in passes)
    assert len({tuple(one) for one in passes}) == 7, "each pass has an order of its own"


@pytest.mark.parametrize(
    "make", [WeightedDraws, lambda weights, seed: GrowingDraws(np.argsort(weights), 16, seed=seed)]
)
def test_an_epoch_can_be_drawn_again(make) -> None:
    weights = np.arange(1.0, 6)
    stream = BatchStream(make(weights, seed=3), per_epoch=4, batch=2)
    first = [list(stream) for _ in range(4)]
    stream.epoch = 2
    assert list(stream) == first[2]
    assert [list(stream) for _ in range(1)] == [first[3]]
    assert list(BatchStream(make(weights, seed=4), per_epoch=4, batch=2)) != first[0]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20))
def test_a_length_is_kept(images: int, per_epoch: int, batch: int) -> None:
    stream = uniform(images, per_epoch, batch)
    epoch = list(stream)
    assert len(epoch) == len(stream)
    assert sum(map(len, epoch)) == per_epoch
    assert all(0 <= image < images for image in chain.from_iterable(epoch))


@pytest.mark.parametrize("batch", [16, 3])
def test_a_batch_larger_than_the_epoch(batch: int) -> None:
    assert [len(part) for part in uniform(images=9, per_epoch=2, batch=batch)] == [2]
