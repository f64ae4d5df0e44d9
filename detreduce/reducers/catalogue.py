"""Descriptions of the methods without their classes, which take scikit-learn's seconds to import.

Those of the built-in methods are kept in ``catalogue.json``, made from the classes by ``scripts/catalogue.py``; a test
compares the two.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from detreduce.reducers.description import Description, Parameter, describe
from detreduce.reducers.registry import BUILT_IN, reducer_class

FILE = Path(__file__).with_name("catalogue.json")


def described(name: str) -> Description:
    """Describe the method called `name`; raises InputError, with the nearest name, for an unknown one."""
    if name in BUILT_IN and name in (kept := _kept()):
        return _description(kept[name])
    return describe(reducer_class(name))


def made_anew() -> str:
    """The content of the file as the classes are now."""
    found = {name: asdict(describe(reducer_class(name))) for name in BUILT_IN}
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


@cache
def _kept() -> dict[str, dict[str, Any]]:
    return json.loads(FILE.read_text(encoding="utf-8"))


def _description(kept: dict[str, Any]) -> Description:
    tuples = {name: tuple(kept[name]) for name in ("needs", "traits", "about")}
    parameters = tuple(Parameter(**parameter) for parameter in kept["parameters"])
    return Description(**{**kept, **tuples, "parameters": parameters})
