"""The names that plug-ins for version 0.1 import still exist."""

from __future__ import annotations

import pickle
import sys
from importlib import import_module

import pytest

from detreduce.vocabulary.former_modules import FORMER_MODULES


@pytest.mark.parametrize(("former", "present"), FORMER_MODULES.items())
def test_a_former_path_gives_the_names_of_its_successors(former: str, present: tuple[str, ...]) -> None:
    sys.modules.pop(former, None)
    with pytest.deprecated_call(match=present[0]):
        module = import_module(former)
    for successor in map(import_module, present):
        own = [
            name for name, value in vars(successor).items() if getattr(value, "__module__", "") == successor.__name__
        ]
        assert own and all(getattr(module, name) is getattr(successor, name) for name in own)
    with pytest.raises(AttributeError):
        _ = module.no_such_name


def test_the_documented_imports_of_a_method() -> None:
    with pytest.warns(DeprecationWarning):
        sys.modules.pop("detreduce.reducers.conformance", None)
        from detreduce.reducers.conformance import check_reducer
    from detreduce.reducers.testing import check_reducer as present

    assert check_reducer is present


def test_a_reducer_that_version_0_1_pickled_is_read() -> None:
    from detreduce.reducers import make_reducer

    pickled = pickle.dumps(make_reducer("mms", keep=3), protocol=0)
    former = pickled.replace(b"cdetreduce.reducers.methods.mms\n", b"cdetreduce.reducers.geometric\n")
    assert former != pickled
    sys.modules.pop("detreduce.reducers.geometric", None)
    with pytest.warns(DeprecationWarning):
        assert pickle.loads(former).get_params()["keep"] == 3
