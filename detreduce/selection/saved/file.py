"""Write a selection as JSON, and read it back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import numpy as np

from detreduce.errors import InputError, MissingFileError
from detreduce.machine.json_values import json_number, json_text, json_value
from detreduce.machine.near_files import suggest_path
from detreduce.machine.untrusted.checked_json import read_checked
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import RECORDS, read_regular
from detreduce.selection.saved.data import SelectionData
from detreduce.selection.saved.stored import SelectionFile

FORMAT_VERSION = 1
Kind = TypeVar("Kind", bound=SelectionData)


def selection_to_json(selection: SelectionData) -> str:
    """Return a selection as JSON text. Infinite scores become the strings inf and -inf, and NaN becomes null."""
    content = {
        "detreduce_selection": FORMAT_VERSION,
        "method": selection.method,
        "parameters": dict(selection.parameters),
        "keep": selection.keep,
        "seed": selection.seed,
        "images": len(selection.image_ids),
        "of": len(selection.scores),
        "categories": dict(selection.categories),
        "steps": [dict(step) for step in selection.steps],
        "provenance": dict(selection.provenance),
        "representativeness": dict(selection.representativeness),
        "image_ids": list(selection.image_ids),
        "indices": selection.indices,
        # convert the scores here, because `json_text` would build the text twice if it found NaN
        "scores": json_value(selection.scores),
        "category_codes": selection.category_codes,
    }
    return json_text(content)


def read_selection(file: Path, kind: type[Kind]) -> Kind:
    """Read a selection from a JSON file. `kind` is the class of the object to return.

    Raises
    ------
    MissingFileError
        The file does not exist.
    InputError
        The file is not a selection that this version can read.
    """
    if not os.path.lexists(file):
        raise MissingFileError(
            f"There is no selection at {file}.{suggest_path(file)} Pass a selection.json, or a folder that "
            "`detreduce reduce` wrote."
        )
    try:
        content, _ = read_checked(file, SelectionFile, "a selection")
    except InputError as error:
        raise (_no_method(file) or error) from None
    codes = content.get("category_codes")
    return kind(
        image_ids=tuple(content["image_ids"]),
        indices=np.array(content["indices"], np.int64),
        scores=np.array([json_number(score) for score in content["scores"]], np.float64),
        method=content["method"],
        parameters=content["parameters"],
        keep=content["keep"],
        seed=content["seed"],
        categories=content["categories"],
        provenance=content["provenance"],
        # files that earlier versions wrote may not have these keys
        representativeness=content.get("representativeness", {}),
        steps=tuple(content.get("steps", ())),
        category_codes=None if codes is None else np.array(codes, np.int64),
    )


def _no_method(file: Path) -> InputError | None:
    """Return an error if the file lists images without a method that chose them. Otherwise, return None."""
    try:
        content = parse_json(read_regular(file, RECORDS))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("image_ids"), list) or "method" in content:
        return None
    return InputError(f"{file} lists the images that were written, but no method chose them, so it has no scores.")
