"""Write a selection as JSON, and read it back."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np

from detreduce.errors import InputError, MissingFileError
from detreduce.machine.documents import parse_json
from detreduce.machine.json_values import json_number, json_text, json_value
from detreduce.machine.regular_files import RECORDS, read_regular
from detreduce.selection.data import SelectionData

FORMAT_VERSION = 1
Kind = TypeVar("Kind", bound=SelectionData)


def selection_to_json(selection: SelectionData) -> str:
    """Return the JSON text of a selection. Infinite scores become the strings inf and -inf; NaN becomes null."""
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
        # converted here, because `json_text` builds the text twice if it finds NaN
        "scores": json_value(selection.scores),
        "category_codes": selection.category_codes,
    }
    return json_text(content)


def read_selection(file: Path, kind: type[Kind]) -> Kind:
    """Read the selection in a JSON file, and return it as an object of the class `kind`.

    Raises
    ------
    MissingFileError
        The file does not exist.
    InputError
        The file is not a selection that this version can read.
    """
    if not file.is_file():
        raise MissingFileError(f"There is no selection at {file}.")
    try:
        content = parse_json(read_regular(file, RECORDS))
        if content["detreduce_selection"] != FORMAT_VERSION or not isinstance(content["image_ids"], list):
            raise ValueError(f"format {content['detreduce_selection']!r}")
        codes = content.get("category_codes")
        return kind(
            image_ids=tuple(content["image_ids"]),
            indices=np.asarray(content["indices"], np.int64),
            scores=np.array([json_number(score) for score in content["scores"]], np.float64),
            method=content["method"],
            parameters=content["parameters"],
            keep=content["keep"],
            seed=content["seed"],
            categories=content["categories"],
            provenance=content["provenance"],
            # files of earlier versions may not have these keys
            representativeness=content.get("representativeness", {}),
            steps=tuple(content.get("steps", ())),
            category_codes=None if codes is None else np.asarray(codes, np.int64),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is not a selection that this version of detreduce can read ({error}).") from error
