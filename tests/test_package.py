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


def test_every_test_file_has_a_name_of_its_own() -> None:
    # pytest imports test files by their bare name
    names = [file.name for file in Path(__file__).parent.rglob("test_*.py")]
    assert not {name for name in names if names.count(name) > 1}
