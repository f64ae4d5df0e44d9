"""Descriptions of the methods that can be read without importing the methods.

Importing the classes would import scikit-learn, which takes seconds. ``scripts/methods.py`` writes the descriptions of
the built-in methods to ``catalogue.json``. A test compares this file with the classes.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from detreduce.reducers.description import MethodDescription, Parameter, describe
from detreduce.reducers.registry import BUILT_IN, reducer_class

FILE = Path(__file__).with_name("catalogue.json")


def described(name: str) -> MethodDescription:
    """Return the description of the method called `name`.

    Raise InputError if there is no such method. The message suggests the most similar name.
    """
    if name in BUILT_IN and name in (stored := _stored()):
        return _description(stored[name])
    return describe(reducer_class(name))


def catalogue_text() -> str:
    """Return the content of ``catalogue.json``, generated from the classes of the built-in methods."""
    descriptions = {name: asdict(describe(reducer_class(name))) for name in BUILT_IN}
    return json.dumps(descriptions, ensure_ascii=False, indent=1) + "\n"


@cache
def _stored() -> dict[str, dict[str, Any]]:
    """Return the content of ``catalogue.json`` as method name -> fields of its description."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def _description(stored: dict[str, Any]) -> MethodDescription:
    """Create a `MethodDescription` from the JSON object in ``catalogue.json``."""
    tuples = {name: tuple(stored[name]) for name in ("needs", "traits", "about")}
    parameters = tuple(Parameter(**parameter) for parameter in stored["parameters"])
    return MethodDescription(**{**stored, **tuples, "parameters": parameters})
