"""The part that each cell plays in comparisons."""

from __future__ import annotations

import pytest

from detreduce.vocabulary.controls import CONTROLS, Role, role_of


@pytest.mark.parametrize("label", ["srs(by=classes)", "srs(seed=1)", "mms", "randomised"])
def test_only_plain_random_subsets_are_random(label: str) -> None:
    assert role_of({"control": None, "label": label}) is Role.METHOD


def test_random_subsets_and_controls() -> None:
    for label in ("srs", "random"):
        assert role_of({"control": None, "label": label}) is Role.RANDOM
    for name, control in CONTROLS.items():
        assert role_of({"control": name, "label": "any"}) is control.role
