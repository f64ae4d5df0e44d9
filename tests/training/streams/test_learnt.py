from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from detreduce.training.streams.learnt import SkipLearnt, SkippingStream, choose_images

OPTIONS = SkipLearnt()


def test_shares_worked_by_hand() -> None:
    # 100 easy images, 50 moderate ones (0.55 and 0.85 are moderate), 30 hard ones, none of them overdue
    scores = np.r_[np.full(100, 0.9), np.full(25, 0.85), np.full(25, 0.55), np.full(30, 0.54)]
    chosen = choose_images(scores, np.ones(180, np.int64), OPTIONS, np.random.default_rng(0))
    assert (chosen[:100].sum(), chosen[100:150].sum(), chosen[150:].sum()) == (2, 20, 30)


def test_an_image_that_waited_long_is_drawn() -> None:
    scores = np.r_[np.full(100, 0.9), np.full(10, 0.6)]
    waiting = np.ones(110, np.int64)
    waiting[:7], waiting[7:20], waiting[100:106] = 10, 9, 3
    chosen = choose_images(scores, waiting, OPTIONS, np.random.default_rng(0))
    # the seven easy images and the six moderate ones that are due exceed 2 % and 40 %
    assert np.flatnonzero(chosen).tolist() == [*range(7), *range(100, 106)]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(0, 99))
def test_no_image_waits_longer_than_its_group_allows(scores: list[float], seed: int) -> None:
    array = np.array(scores)
    stream = SkippingStream(len(array), 4, {0}, OPTIONS, seed)
    stream.scores = array
    drawn = [set(stream.images_of(epoch).tolist()) for epoch in range(25)]
    assert drawn[0] == set(range(len(array)))
    for image, score in enumerate(array):
        every = 1 if score < 0.55 else 3 if score <= 0.85 else 10
        for first in range(26 - every):
            assert any(image in epoch for epoch in drawn[first : first + every])


def test_whole_epochs_and_batches() -> None:
    stream = SkippingStream(10, 4, {0, 1, 5}, OPTIONS)
    stream.scores = np.full(10, 0.95)
    epochs = []
    for epoch in range(6):
        stream.running = epoch
        batches = list(stream)
        assert len(batches) == len(stream)
        epochs.append(list(chain.from_iterable(batches)))
    # 2 % of ten images rounds to zero, but an epoch has at least one batch
    assert [len(epoch) for epoch in epochs] == [10, 10, 4, 4, 4, 10]
    assert epochs[0] != epochs[1]


def test_new_scores_change_only_later_epochs() -> None:
    stream = SkippingStream(40, 8, {0}, OPTIONS, seed=1)
    before = [stream.images_of(epoch).tolist() for epoch in range(4)]
    list(stream), list(stream), list(stream)
    assert stream.epoch == 3, "the loader is ahead"
    stream.running = 2
    stream.refresh(np.full(40, 0.7))
    assert stream.epoch == 2
    assert [stream.images_of(epoch).tolist() for epoch in range(2)] == before[:2]
    assert [len(stream.images_of(epoch)) for epoch in (2, 3, 4)] != [40, 40, 40]
    again = SkippingStream(40, 8, {0}, OPTIONS, seed=1)
    again.images_of(1)
    again.running = 2
    again.refresh(np.full(40, 0.7))
    assert [again.images_of(e).tolist() for e in range(6)] == [stream.images_of(e).tolist() for e in range(6)]


@pytest.mark.parametrize("wrong", [{"moderate": 0.9}, {"easy_share": 2}, {"refresh": 0}, {"hard": 1}, False])
def test_wrong_rules_are_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        SkipLearnt.model_validate(wrong)
    assert SkipLearnt.model_validate(True) == OPTIONS
