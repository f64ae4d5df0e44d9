"""What plug-ins for version 0.1 import is still there."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from detreduce.vocabulary.former_modules import FORMER_MODULES


@pytest.mark.parametrize(("former", "present"), FORMER_MODULES.items())
def test_a_former_path_gives_the_names_of_its_successor(former: str, present: str) -> None:
    sys.modules.pop(former, None)
    with pytest.deprecated_call(match=present):
        module = import_module(former)
    successor = import_module(present)
    public = [name for name in vars(successor) if not name.startswith("_")]
    assert public and all(getattr(module, name) is getattr(successor, name) for name in public)
    with pytest.raises(AttributeError):
        _ = module.no_such_name


def test_the_documented_imports_of_a_method() -> None:
    with pytest.warns(DeprecationWarning):
        sys.modules.pop("detreduce.reducers.conformance", None)
        from detreduce.reducers.conformance import check_reducer
    from detreduce.reducers.testing import check_reducer as present

    assert check_reducer is present
