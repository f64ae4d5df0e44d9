from __future__ import annotations

import pytest

from detreduce.errors import InputError
from detreduce.reducers import reducer_class
from detreduce.reducers.catalogue import FILE, catalogue_text, described
from detreduce.reducers.description import describe
from detreduce.reducers.registry import BUILT_IN


def test_the_file_says_what_the_classes_declare() -> None:
    assert FILE.read_text(encoding="utf-8") == catalogue_text(), "run python scripts/methods.py"


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_a_description_is_that_of_the_class(name: str) -> None:
    assert described(name) == describe(reducer_class(name))


@pytest.mark.usefixtures("stand_in_reducers")
def test_a_method_that_the_file_lacks_is_described_from_its_class() -> None:
    assert described("by_objects") == describe(reducer_class("by_objects"))


def test_an_unknown_method_is_told() -> None:
    with pytest.raises(InputError, match="Did you mean 'mms'"):
        described("mmz")
