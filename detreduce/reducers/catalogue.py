"""Descriptions of the methods without importing their classes, which need seconds for scikit-learn.

``scripts/methods.py`` writes the descriptions of the built-in methods into ``catalogue.json``; a test compares the file
with the classes.
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
    """Describe the method called `name`; raise InputError, with the nearest name, for an unknown one."""
    if name in BUILT_IN and name in (stored := _stored()):
        return _description(stored[name])
    return describe(reducer_class(name))


def catalogue_text() -> str:
    """Return the content of the file, made from the classes."""
    descriptions = {name: asdict(describe(reducer_class(name))) for name in BUILT_IN}
    return json.dumps(descriptions, ensure_ascii=False, indent=1) + "\n"


@cache
def _stored() -> dict[str, dict[str, Any]]:
    return json.loads(FILE.read_text(encoding="utf-8"))


def _description(stored: dict[str, Any]) -> Description:
    tuples = {name: tuple(stored[name]) for name in ("needs", "traits", "about")}
    parameters = tuple(Parameter(**parameter) for parameter in stored["parameters"])
    return Description(**{**stored, **tuples, "parameters": parameters})
