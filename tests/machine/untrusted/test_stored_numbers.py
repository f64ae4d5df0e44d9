"""Every whole number in a file of ours has bounds, so that an edited one is an error that names the field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edits import edits
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from detreduce.dataset.health.problem_counts import ProblemCounts
from detreduce.experiment.data_problems import read_problems
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.ledger.stored import CellFile, CostFile, PlannedCell
from detreduce.experiment.tuning.stored import StoredTuning
from detreduce.machine.untrusted.stored_numbers import Count, Int64, Keep
from detreduce.selection.saved.stored import SelectionFile
from detreduce.training.record import TrainingRecord

MODELS = (ProblemCounts, SelectionFile, CellFile, PlannedCell, CostFile, StoredTuning, TrainingRecord)
KINDS = {kind.__name__: kind for kind in MODELS}


def unbounded(schema: Any, place: str = "") -> Iterator[str]:
    """The places of whole numbers without bounds in a JSON schema."""
    if isinstance(schema, list):
        for number, part in enumerate(schema):
            yield from unbounded(part, f"{place}.{number}")
    elif isinstance(schema, dict):
        if schema.get("type") == "integer" and "const" not in schema:
            least = {"minimum", "exclusiveMinimum"} & schema.keys()
            most = {"maximum", "exclusiveMaximum"} & schema.keys()
            if not (least and most):
                yield place
        for name, part in schema.items():
            yield from unbounded(part, f"{place}.{name}")


@pytest.mark.parametrize("name", KINDS)
def test_whole_numbers_have_bounds(name: str) -> None:
    assert list(unbounded(TypeAdapter(KINDS[name]).json_schema())) == []


@given(st.integers())
def test_the_bounds(number: int) -> None:
    for kind, fits in ((Int64, -(2**63) <= number < 2**63), (Count, 0 <= number < 2**63), (Keep, 0 <= number < 2**63)):
        adapter = TypeAdapter(kind)
        try:
            assert adapter.validate_python(number, strict=True) == number and fits
        except ValidationError:
            assert not fits


def test_an_edited_count_of_problems_is_read_or_left_out(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "runs")
    file = ledger.path / "problems.json"
    for what, content in edits({"problems": 3, "refused": 1, "images": 9, "kept": True, "command": "detreduce"}):
        file.write_text(json.dumps(content))
        found = read_problems(ledger)
        if found is not None:
            assert all(0 <= number < 2**63 for number in (found.problems, found.refused, found.images)), what
            assert isinstance(found.line, str)
