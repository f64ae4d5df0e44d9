"""The sentences about images that were left out before the method chose."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from detreduce.selection.steps_in_words import steps_in_words

PAIR = {"image": "a", "split": "train", "other_split": "val", "other": "b"}


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ((), "No image matches an image of val or test."),
        ((PAIR,), "Left out: 1 image of train matches 1 image of val or test."),
    ],
)
def test_a_search_for_leaks_is_a_sentence_also_if_it_finds_nothing(pairs: tuple[Any, ...], said: str) -> None:
    steps = [{"step": "drop_leaked", "pairs": pairs}]
    selection = SimpleNamespace(steps=steps, keeps_all=True, images_remaining=4, keep=4, scores=[0] * 4)
    assert list(steps_in_words(selection)) == [said]  # type: ignore[arg-type]
