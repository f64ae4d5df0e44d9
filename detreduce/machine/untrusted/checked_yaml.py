"""Read a YAML file, with one clear error if this is not possible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from detreduce.errors import InputError
from detreduce.machine.untrusted.documents import load_yaml
from detreduce.machine.untrusted.regular_files import YAMLS, read_text


def read_yaml(file: Path) -> Any:
    """Return the content of a YAML file. Raise InputError if the file cannot be read as YAML."""
    try:
        return load_yaml(read_text(file, YAMLS))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{file} cannot be read as YAML: {error}") from error


def read_keys(file: Path, what: str) -> dict[Any, Any]:
    """Return the keys and values of a YAML file. Raise InputError if the file cannot be read or has other content.

    `what` says in the message what the file should be, for example ``a recipe``.
    """
    content = read_yaml(file)
    if not isinstance(content, dict):
        raise InputError(f"{file} is not {what}: its content is {type(content).__name__}, not keys and values.")
    return content
