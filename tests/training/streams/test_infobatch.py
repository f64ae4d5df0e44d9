from __future__ import annotations

import math
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from detreduce.training.streams.infobatch import InfoBatch, InfoBatchEpochs, drop_images

OPTIONS = InfoBatch()


def test_half_of_the_images_below_the_mean_are_left_out() -> None:
    # the mean is 3.6: images 0, 1, 3 and 4 are below it, and 2 of them are left out
    losses = np.array([1.0, 2.0, 9.0, 1.0, 2.0, 3.7, 6.5])
    kept, weights = drop_images(losses, 0.5, np.random.default_rng(0))
    assert len(kept) == 5
    assert {2, 5, 6} < set(kept.tolist())
    assert weights[[2, 5, 6]].tolist() == [1, 1, 1]
    assert sorted(weights[[0, 1, 3, 4]].tolist()) == [0, 0, 2, 2]
    assert kept.tolist() == np.flatnonzero(weights).tolist()
    drawn = [tuple(drop_images(losses, 0.5, np.random.default_rng(seed))[0].tolist()) for seed in range(60)]
    assert len(set(drawn)) == 6, "each pair of the four may be left out"


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.floats(0, 0.99), st.integers(0, 9))
def test_the_weights_make_up_for_the_images_left_out(losses: list[float], drop: float, seed: int) -> None:
    array = np.array(losses)
    kept, weights = drop_images(array, drop, np.random.default_rng(seed))
    low = array < array.mean()
    assert (weights[~low] == 1).all()
    assert weights[low].sum() == pytest.approx(low.sum())
    assert len(array) - len(kept) == math.floor(drop * low.sum())
    assert len(kept) >= 1


def test_a_training_that_diverged_leaves_out_nothing() -> None:
    kept, weights = drop_images(np.array([1.0, math.nan, 2.0]), 0.5, np.random.default_rng(0))
    assert kept.tolist() == [0, 1, 2]
    assert weights.tolist() == [1, 1, 1]


def test_the_first_epoch_and_the_last_eighth_use_all_images() -> None:
    stream = InfoBatchEpochs(10, 4, 16, OPTIONS)
    lengths = []
    for epoch in range(16):
        stream.running = epoch
        if stream.is_chosen_again(epoch):
            stream.choose_again()
        batches = list(stream)
        assert len(batches) == len(stream)
        images = list(chain.from_iterable(batches))
        lengths.append(len(images))
        # the images 0 to 7 have a small loss, so 4 of them are left out
        stream.record(images, [0.1 if image < 8 else 5.0 for image in images])
        expected = [1.0 if image >= 8 or len(images) == 10 else 2.0 for image in images]
        assert stream.weights()[images].tolist() == expected
        assert len(stream._weights) <= 1, "the weights of earlier epochs are freed"
    assert lengths == [10] + [6] * 13 + [10] * 2


def test_an_image_that_is_left_out_keeps_its_loss() -> None:
    stream = InfoBatchEpochs(4, 4, 8, OPTIONS)
    stream.record(range(4), [1.0, 2.0, 9.0, 9.0])
    stream.record([1], [8.0])
    assert stream.losses.tolist() == [1.0, 8.0, 9.0, 9.0]


def test_the_images_depend_on_the_seed_the_epoch_and_the_losses_only() -> None:
    def epochs(seed: int, ahead: int) -> list[list[int]]:
        stream, found = InfoBatchEpochs(40, 8, 8, OPTIONS, seed), []
        for epoch in range(8):
            stream.running = epoch
            if stream.is_chosen_again(epoch):
                stream.choose_again()
            for _ in range(ahead):  # a loader that fetches epochs in advance
                list(stream)
            found.append(stream.images_of(epoch).tolist())
            stream.record(range(40), np.sin(np.arange(40) * (epoch + 1)).tolist())
        return found

    assert epochs(1, ahead=1) == epochs(1, ahead=3)
    assert epochs(1, ahead=1) != epochs(2, ahead=1)


@pytest.mark.parametrize("wrong", [{"drop": 1}, {"drop": -0.1}, {"end": 1.1}, {"dorp": 0.5}, False, 0.5])
def test_wrong_rules_are_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        InfoBatch.model_validate(wrong)
    assert InfoBatch.model_validate(True) == OPTIONS
