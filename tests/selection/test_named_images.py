"""Images that a person names: in a list, in a file, or wrongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detreduce.errors import InputError, MissingFileError
from detreduce.selection.named_images import read_names
from detreduce.selection.request import CompositionRequest


def test_a_list_that_does_not_exist_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"keep\.txt"):
        read_names(tmp_path / "keep.txt")
    (tmp_path / "keep.txt").write_text("a.jpg\n\n b.jpg \n", encoding="utf-8-sig")
    assert read_names(tmp_path / "keep.txt") == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("option", ["must_keep", "initial"])
@pytest.mark.parametrize("value", [3, 1.5, True])
def test_what_is_no_list_of_images_is_an_input_error(option: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"{option}={value!r}"):
        CompositionRequest.of(**{option: value})


def test_one_name_is_a_list_of_one() -> None:
    assert CompositionRequest.of(must_keep="a.jpg").must_keep == ("a.jpg",)
    assert CompositionRequest.of(must_keep=["a", 3], initial=(1, 2)).initial == (1, 2)
    assert CompositionRequest.of().must_keep == ()
