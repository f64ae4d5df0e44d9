"""Read the JSON files that detreduce itself writes. If a file is damaged, the error names the wrong field."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from detreduce.errors import InputError, MissingFileError
from detreduce.machine.near_files import suggest_path
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import RECORDS, read_regular
from detreduce.machine.untrusted.stored_numbers import Int64

Checked = TypeVar("Checked")

ImageId = Int64 | str


class Stored(BaseModel):
    """The base class of the pydantic models that describe files.

    Unknown fields, which later versions may have written, are kept. Types are not converted.
    """

    model_config = ConfigDict(extra="allow", strict=True, protected_namespaces=(), populate_by_name=True)


def read_checked(file: Path, kind: Any, what: str) -> tuple[Any, Any]:
    """Read a JSON file. Return its plain content, and the same content validated as `kind`.

    Parameters
    ----------
    file
        The file to read.
    kind
        A pydantic model or a type.
    what
        The kind of file for messages, for example "a selection".

    Raises
    ------
    MissingFileError
        The file does not exist.
    InputError
        The content does not match `kind`. The message names the wrong field.
    """
    try:
        content = parse_json(read_regular(file, RECORDS))
    except FileNotFoundError as error:
        raise MissingFileError(
            f"{file} does not exist, so there is no {what.partition(' ')[2]}.{suggest_path(file)}"
        ) from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}.") from error
    except json.JSONDecodeError as error:
        raise refuse(file, what, f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except ValueError as error:
        raise refuse(file, what, str(error)) from error
    return content, check_value(file, content, kind, what)


def check_value(file: Path, content: Any, kind: Any, what: str) -> Any:
    """Validate plain values as `kind` (a pydantic model or a type), and return the result.

    If the values do not match `kind`, raise InputError. The message names the field and the file.
    """
    try:
        if (odd := next(_not_finite(content, ""), None)) is not None:
            raise refuse(file, what, f"{odd}: not a finite number")
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        raise refuse(file, what, first_fault(error)) from None
    except RecursionError:
        raise refuse(file, what, "nested too deeply") from None


def refuse(file: Path, what: str, fault: str) -> InputError:
    """Return the error to raise for a file. `what` is the kind of file, and `fault` is what is wrong with it."""
    return InputError(
        f"{file} is not {what} that this version of detreduce can read ({fault}). The file was edited or damaged, or "
        f"another version wrote the file."
    )


def first_fault(error: ValidationError) -> str:
    """Return the name of the first field that pydantic rejected, and the reason."""
    fault = error.errors(include_url=False)[0]
    # for a union, pydantic adds the names of its members to the location; they do not occur in the file
    place = ".".join(str(part) for part in fault["loc"] if not (isinstance(part, str) and "[" in part))
    return f"{place or 'the whole file'}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"


def _not_finite(value: Any, place: str) -> Iterator[str]:
    """Yield the position of each NaN or infinite number. JSON does not allow them, but Python reads and writes them."""
    if isinstance(value, float):
        if not math.isfinite(value):
            yield place or "the whole file"
    elif isinstance(value, dict):
        for name, part in value.items():
            if isinstance(part, float | dict | list):
                yield from _not_finite(part, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            if isinstance(part, float | dict | list):
                yield from _not_finite(part, f"{place}.{number}" if place else str(number))
