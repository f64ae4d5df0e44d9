from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from detreduce.errors import InputError
from detreduce.reducers import list_reducers, make_reducer, reducer_class, registry


def test_every_name_makes_its_class() -> None:
    for name in list_reducers():
        assert reducer_class(name).name == name
        assert make_reducer(name, keep=7).get_params()["keep"] == 7


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no method 'mmss'. Did you mean 'mms'"):
        make_reducer("mmss")
    with pytest.raises(InputError, match=r"no parameter 'strat'. Did you mean 'start'"):
        make_reducer("mms", strat="center")
    with pytest.raises(InputError, match=r"no parameter 'seed'.* random_state= .* --seed "):
        make_reducer("srs", seed=3)


def test_reducers_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("theirs", "detreduce.reducers.methods.srs:StratifiedRandom", registry.ENTRY_POINT_GROUP),
        EntryPoint("broken", "no_such_package:Thing", registry.ENTRY_POINT_GROUP),
        EntryPoint("mms", "no_such_package:Thing", registry.ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    assert list_reducers()[-2:] == ["broken", "theirs"] and list_reducers().count("mms") == 1
    assert type(make_reducer("theirs", keep=3)) is reducer_class("srs")
    assert reducer_class("mms").__module__ == "detreduce.reducers.methods.mms"
    with pytest.raises(InputError, match="no_such_package:Thing but cannot be imported"):
        make_reducer("broken")


def test_names_are_listed_without_heavy_imports() -> None:
    code = "import sys, detreduce.reducers as r; r.list_reducers(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
