from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detreduce.errors import DetreduceError, InputError
from detreduce.experiment.ledger import merge
from detreduce.experiment.ledger.finished_cell import TRAIN_FOLDER, FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.ledger.merge import Merged, merge_ledgers
from detreduce.training.record import TrainingRecord

Make = Callable[..., TrainingRecord]


@pytest.fixture
def ledger_of(tmp_path: Path, make_record: Make) -> Callable[..., Ledger]:
    """Make a ledger with this name and these cells: key -> mAP50."""

    def make(name: str, **cells: float) -> Ledger:
        ledger = Ledger.create(tmp_path / name)
        for key, map50 in cells.items():
            with ledger.claim(key) as work:
                assert work is not None
                (work / TRAIN_FOLDER / "weights").mkdir(parents=True)
                (work / TRAIN_FOLDER / "weights" / "last.pt").write_text(key)
                record = make_record(map50=map50)
                record.save(work / TRAIN_FOLDER)
                ledger.finish(work, FinishedCell(key, facts(key), record))
        return ledger

    return make


def facts(key: str) -> dict[str, Any]:
    return {"key": key, "label": "srs", "method": "srs", "control": None, "keep": 0.5, "training_seed": 0}


def content(folder: Path) -> dict[str, str]:
    """Return the text of every file below a folder, except locks."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and "locks" not in file.parts]
    return {str(file.relative_to(folder)): file.read_text() for file in files}


def test_missing_cells_are_copied_and_the_same_ones_skipped(ledger_of: Callable[..., Ledger]) -> None:
    other, into = ledger_of("other", a=0.1, b=0.2), ledger_of("into", b=0.2, c=0.3)
    other.write_text("plan.json", "[]")
    (other.path / "selections").mkdir()
    (other.path / "selections" / "mms-1.json").write_text("{}")
    other.write_text("features-1.json", "theirs")
    into.write_text("features-1.json", "ours")
    before = content(other.path)
    assert merge_ledgers(other.path, into.path) == Merged(("a",), ("b",))
    assert content(other.path) == before
    assert [cell.key for cell in into] == ["a", "b", "c"]
    assert (into.cell_folder("a") / TRAIN_FOLDER / "weights" / "last.pt").read_text() == "a"
    assert (into.path / "plan.json").read_text() == "[]" and (into.path / "selections" / "mms-1.json").is_file()
    assert (into.path / "features-1.json").read_text() == "ours"
    assert not any((into.path / "unfinished").iterdir())
    assert merge_ledgers(other.path, into.path) == Merged((), ("a", "b"))


def test_a_new_ledger_becomes_a_copy(ledger_of: Callable[..., Ledger], tmp_path: Path) -> None:
    other = ledger_of("other", a=0.1, b=0.2)
    merge_ledgers(other.path, tmp_path / "new")
    assert content(tmp_path / "new") == content(other.path)


def test_cells_that_differ_are_named_and_nothing_is_merged(ledger_of: Callable[..., Ledger]) -> None:
    other, into = ledger_of("other", a=0.1, b=0.2, c=0.3), ledger_of("into", b=0.25, c=0.35)
    before = content(into.path)
    with pytest.raises(InputError, match=r"2 cells are in both .* differ: b, c\. Nothing is merged"):
        merge_ledgers(other.path, into.path)
    assert content(into.path) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("place", ["copytree", "adopt"])
def test_interrupted_nothing_is_half_merged(
    place: str, error: BaseException, ledger_of: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    other, into = ledger_of("other", a=0.1, b=0.2, c=0.3), ledger_of("into", d=0.4)
    before = content(into.path)
    owner: Any = merge.shutil if place == "copytree" else Ledger
    whole, calls = getattr(owner, place), []

    def breaks(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise error
        return whole(*arguments, **options)

    monkeypatch.setattr(owner, place, breaks)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else DetreduceError):
        merge_ledgers(other.path, into.path)
    assert content(into.path) == before
    assert not any((into.path / "unfinished").iterdir())
    monkeypatch.setattr(owner, place, whole)
    assert merge_ledgers(other.path, into.path).copied == ("a", "b", "c")


def test_what_a_killed_merge_left_is_cleared(ledger_of: Callable[..., Ledger]) -> None:
    other, into = ledger_of("other", a=0.1), ledger_of("into")
    left = into.scratch("merge") / "cells" / "a"
    left.mkdir(parents=True)
    (left / "half").write_text("x")
    merge_ledgers(other.path, into.path)
    assert content(into.cell_folder("a")) == content(other.cell_folder("a"))
    assert not any((into.path / "unfinished").iterdir())


def test_a_cell_that_is_being_trained_is_left_to_its_process(ledger_of: Callable[..., Ledger]) -> None:
    other, into = ledger_of("other", a=0.1, b=0.1), ledger_of("into")
    with into.claim("b") as work:
        assert work is not None
        with pytest.raises(DetreduceError, match="works on the cell b"):
            merge_ledgers(other.path, into.path)
        assert len(into) == 0 and work.is_dir()


def test_what_cannot_be_merged_is_told(ledger_of: Callable[..., Ledger], tmp_path: Path) -> None:
    other = ledger_of("other", a=0.1)
    with pytest.raises(InputError, match="both ledgers"):
        merge_ledgers(other.path, tmp_path / "x" / ".." / "other")
    with pytest.raises(InputError, match="is not a ledger"):
        merge_ledgers(tmp_path, other.path)
    (other.cell_folder("a") / "cell.json").write_text(json.dumps({}))
    with pytest.raises(InputError, match="not a finished cell"):
        merge_ledgers(other.path, tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_forgotten_cell_is_gone_and_nothing_else(ledger_of: Callable[..., Ledger]) -> None:
    ledger = ledger_of("ledger", a=0.1, b=0.2)
    kept = content(ledger.cell_folder("b"))
    ledger.forget("a")
    assert ledger.cell_keys() == ["b"] and content(ledger.cell_folder("b")) == kept
    assert not any((ledger.path / "unfinished").iterdir())
    with pytest.raises(InputError, match=r"no finished cell 'a'"):
        ledger.forget("a")
    shutil.copytree(ledger.path, ledger.path.parent / "moved")
    with pytest.raises(InputError, match="no finished cell"):
        ledger.forget("../../moved/cells/b")
    Ledger(ledger.path.parent / "moved").forget("b")
    assert ledger.cell_keys() == ["b"]


def test_cells_that_ran_at_the_same_time_on_one_machine_are_marked(make_record: Make, tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path)
    times = {"a": ("m", "01", "05"), "b": ("m", "02", "03"), "c": ("m", "04", "06"), "d": ("m", "06", "07")}
    times |= {"e": ("n", "01", "05"), "f": ("n", "05", "06")}
    for key, (machine, start, end) in times.items():
        with ledger.claim(key) as work:
            assert work is not None
            (work / TRAIN_FOLDER).mkdir()
            make_record().save(work / TRAIN_FOLDER)
            ran = {
                "machine": machine,
                "started": f"2026-01-01T{start}:00:00.000+00:00",
                "ended": f"2026-01-01T{end}:00:00.000+00:00",
                "overlapped": False,
            }
            ledger.finish(work, FinishedCell(key, facts(key), make_record(), {}, {}, ran))
    assert {row["key"] for row in ledger.rows() if row["overlapped"]} == {"a", "b", "c"}
