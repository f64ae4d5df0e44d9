"""Describe the faults that pydantic finds in a YAML file: the key, the problem, and the most similar known key."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel

from detreduce.errors import nearest

LONGEST = 80
"""Most characters of a wrong value in a message."""


def describe_fault(item: Any, model: type[BaseModel]) -> str:
    """Describe a validation error in words: the key, the problem and, for a misspelt key, the most similar known key.

    `item` is an element of pydantic's ``errors()``. `model` is the model of the whole YAML file.
    """
    unknown = item["type"] == "extra_forbidden"
    # pydantic lists the branches of a union among the keys, but an unknown key is always a name that the user wrote
    *parents, last = item["loc"] or ("",)
    location = [str(part) for part in parents if not _is_branch(part)]
    if unknown or not _is_branch(last):
        location.append(str(last))
    where = ".".join(location)
    if unknown:
        return f"{where}: unknown key.{nearest(location[-1], _keys_beside(location, model))}"
    if item["type"] == "missing":
        return f"{where}: missing"
    text = str(item["msg"]).removeprefix("Value error, ")
    if not where:
        # the error involves several sections, and its text already names the section to change
        return text
    if item["type"] in ("value_error", "assertion_error"):
        return f"{where}: {text}"
    return f"{where}: {text} (it is {shortened(item['input'])})"


def shortened(value: object, longest: int = LONGEST) -> str:
    """Return a wrong value as it would be written in Python, with at most `longest` characters."""
    try:
        text = repr(value)
    except ValueError:
        # Python refuses to write whole numbers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _is_branch(part: str | int) -> bool:
    """Return whether a part of pydantic's location is a type, such as ``int`` or ``list[str]``, and not a key.

    If a field allows several types, pydantic puts the type into the location.
    """
    return isinstance(part, str) and (
        part in ("str", "int", "float", "bool") or part.startswith(("list[", "dict[", "literal["))
    )


def _keys_beside(location: list[str], model: type[BaseModel]) -> list[str]:
    """Return all keys that are allowed in the section that contains the error."""
    section: Any = model
    for part in location[:-1]:
        if not part.isdecimal():
            field = getattr(section, "model_fields", {}).get(part)
            section = _section_of(field.annotation) if field else None
    return list(getattr(section, "model_fields", {}))


def _section_of(annotation: Any) -> Any:
    """Return the model in a field's type, for example `A` for ``list[A]`` or ``A | None``.

    Return None if there is none.
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_of(part))), None)
