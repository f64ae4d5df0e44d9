from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detreduce.experiment.consistency import inconsistencies
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.training.record import TrainingRecord

Make = Callable[..., TrainingRecord]


def cell(record: TrainingRecord, control: str | None = None, keep: float = 0.5, **changes: Any) -> FinishedCell:
    content = {"label": "srs", "method": "srs", "control": control, "keep": keep, "training_seed": 0}
    return FinishedCell("key", content, record.model_copy(update=changes))


def test_cells_that_differ_by_their_images_alone_are_consistent(make_record: Make) -> None:
    same = make_record()
    more = same.counts.model_copy(update={"batches": 9, "optimiser_steps": 9})
    cells = [cell(same), cell(same, "full_equal_iterations"), cell(same, "full", 1.0, counts=more)]
    assert inconsistencies(cells) == []
    assert inconsistencies([]) == []


def test_versions_and_devices_are_told(make_record: Make) -> None:
    cells = [cell(make_record(), versions={"torch": "2.1", "numpy": "1"})]
    cells.append(cell(make_record(), versions={"torch": "2.2", "numpy": "2"}, device="cuda:0"))
    versions, devices = inconsistencies(cells)
    assert "torch 2.1, 2.2" in versions and "numpy" not in versions
    assert "cpu, cuda:0" in devices


def test_a_control_with_other_steps_is_no_control(make_record: Make) -> None:
    record = make_record()
    fewer = record.counts.model_copy(update={"optimiser_steps": 0})
    (said,) = inconsistencies([cell(record, counts=fewer), cell(record, "full_equal_iterations")])
    assert "At keep 0.5" in said and "full_equal_iterations" in said
