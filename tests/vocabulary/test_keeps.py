from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detreduce.errors import InputError
from detreduce.experiment.sections import in_range
from detreduce.reducers.engine.budget import check_keep
from detreduce.vocabulary.keeps import how_to_write


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (1.5, "Write 0.015 for 1.5 %."),
        (25.0, "Write 25 for 25 images, or 0.25 for 25 %."),
        (500.0, "Write 500 for 500 images."),
        (150.5, "Write 0.25 for a quarter of the images, or 25 for 25 images."),
    ],
)
def test_a_number_that_is_no_keep_is_written_in_another_way(keep: float, words: str) -> None:
    assert how_to_write(keep) == words
    for check, error in ((check_keep, InputError), (in_range, ValueError)):
        with pytest.raises(error, match=re.escape(f"above 0 and at most 1. {words}")):
            check(keep)


@given(st.floats(1, 100, exclude_min=True))
def test_what_is_written_is_that_share(keep: float) -> None:
    share = float(re.findall(r"([0-9.e-]+) for [0-9.e-]+ %", how_to_write(keep))[0])
    assert share == pytest.approx(keep / 100)
    assert in_range(share) == share
