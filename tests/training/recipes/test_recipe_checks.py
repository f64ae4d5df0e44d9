from __future__ import annotations

import pytest

from detreduce.errors import InputError
from detreduce.training.recipes.checks import check_freeze, count_layers


def test_the_layers_of_a_model_are_counted_with_its_head() -> None:
    assert count_layers("yolov8n.yaml") == 23


def test_layers_that_are_not_there_cannot_be_frozen() -> None:
    check_freeze(22, 23, "x.pt")
    check_freeze([0, 22], 23, "x.pt")
    check_freeze(0, 23, "x.pt")
    for freeze, words in ((24, "no 24 layers"), ([0, 23], "no layer 23"), (23, "all 23"), (list(range(23)), "all 23")):
        with pytest.raises(InputError, match=words):
            check_freeze(freeze, 23, "x.pt")
