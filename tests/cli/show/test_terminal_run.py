"""What `run` says at its end of near-duplicates among the training images."""

from __future__ import annotations

from typing import Any

import pytest

from detreduce.cli.show.run import near_duplicates_line


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"images": 12, "redundant": 3}, "3 of 12 images show what another one shows."),
        ({"images": 12, "redundant": 0}, "none among 12 images."),
        ({}, "not looked for."),
        ({"skipped": "there are more than 8 images"}, "not looked for, since there are more than 8 images."),
    ],
)
def test_near_duplicates_are_reported_always(found: dict[str, Any], said: str) -> None:
    assert near_duplicates_line(found) == f"Near-duplicates in train: {said}"
