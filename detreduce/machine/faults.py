"""The faults that pydantic finds in a YAML, in words: the key, the problem, and the nearest known name."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel

from detreduce.errors import nearest


def describe_fault(item: Any, model: type[BaseModel]) -> str:
    """Return a validation error as text: the key, the problem, and the nearest known name if the key is misspelt.

    `item` is one of pydantic's ``errors()``. `model` is the model of the whole YAML.
    """
    unknown = item["type"] == "extra_forbidden"
    # pydantic lists the branches of a union among the keys; an unknown key is always a name that the user wrote
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
        # an error that involves several sections: the text of the error names the section to change
        return text
    if item["type"] in ("value_error", "assertion_error"):
        return f"{where}: {text}"
    return f"{where}: {text} (it is {item['input']!r})"


def _is_branch(part: str | int) -> bool:
    """Return whether a part of a pydantic location is the branch of a union and not a key of the YAML."""
    return isinstance(part, str) and (
        part in ("str", "int", "float", "bool") or part.startswith(("list[", "dict[", "literal["))
    )


def _keys_beside(location: list[str], model: type[BaseModel]) -> list[str]:
    """Return the known keys of the section in which an error is."""
    section: Any = model
    for part in location[:-1]:
        if not part.isdecimal():
            field = getattr(section, "model_fields", {}).get(part)
            section = _section_of(field.annotation) if field else None
    return list(getattr(section, "model_fields", {}))


def _section_of(annotation: Any) -> Any:
    """Return the model in the type of a field, such as `A` in ``list[A]`` and in ``A | None``; None if it has none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_of(part))), None)
