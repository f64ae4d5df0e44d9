from __future__ import annotations

import importlib
import importlib.metadata
from pathlib import Path

import pytest

import detreduce


@pytest.mark.parametrize("name", detreduce.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(detreduce, name)
    assert name == "__version__" or value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="detrain"):
        detreduce.detrain  # noqa: B018


def test_the_version_is_the_installed_one() -> None:
    assert importlib.metadata.version("detreduce") == detreduce.__version__


def test_types_are_shipped() -> None:
    assert (Path(detreduce.__file__).parent / "py.typed").is_file()
