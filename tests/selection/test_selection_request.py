"""The options of a selection as one object."""

from __future__ import annotations

import pytest

from detreduce.duplicates.search import LOWEST
from detreduce.errors import InputError
from detreduce.selection.request import CompositionRequest, DuplicateSearch


def test_one_name_is_one_image() -> None:
    assert CompositionRequest.of(must_keep="07.png").must_keep == ("07.png",)
    assert CompositionRequest.of(must_keep=iter(["07.png", 3])).must_keep == ("07.png", 3)


@pytest.mark.parametrize("by", ["pixels", "boxes", "features"])
def test_each_way_has_its_own_lowest_threshold(by: str) -> None:
    # cosines have a lower bound of 0
    low = LOWEST / 2
    if by == "features":
        assert DuplicateSearch(by, low).threshold == low
        low = -0.01
    with pytest.raises(InputError, match=by):
        DuplicateSearch(by, low)
    with pytest.raises(InputError, match=by):
        DuplicateSearch(by, 1.01)
