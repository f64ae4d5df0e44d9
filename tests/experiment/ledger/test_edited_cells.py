"""A damaged cell, record, plan or evidence gives one warning or error. The other cells are listed, compared and
reported.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edits import edits

from detreduce.errors import DetreduceError, DetreduceWarning, InputError
from detreduce.experiment.advice.comparable import comparable_rows
from detreduce.experiment.ledger.finished_cell import CELL_FILE, TRAIN_FOLDER, FinishedCell
from detreduce.experiment.ledger.ledger import Ledger, finished_rows
from detreduce.experiment.ledger.merge import merge_ledgers
from detreduce.experiment.ledger.stored import CostFile
from detreduce.experiment.results.outcome import outcome_of
from detreduce.machine.untrusted.checked_json import read_checked
from detreduce.training.energy import PhaseEnergy
from detreduce.training.evaluation.evidence import EVIDENCE_NAME, Evidence
from detreduce.training.record import RECORD_NAME, TrainingRecord

Make = Callable[..., TrainingRecord]
KEYS = ("full", "srs-0", "srs-1", "mms-0", "mms-1")


@pytest.fixture
def ledger(tmp_path: Path, make_record: Make) -> Ledger:
    made = Ledger.create(tmp_path / "ledger")
    for number, key in enumerate(KEYS):
        label = key.partition("-")[0]
        cell = {"key": key, "label": label, "method": label, "control": "full" if label == "full" else None}
        cell |= {"keep": 1.0 if label == "full" else 0.5, "training_seed": number % 2, "selection_seed": number % 2}
        with made.claim(key) as work:
            assert work is not None
            (work / TRAIN_FOLDER).mkdir()
            make_record(map50=0.1 * number).save(work / TRAIN_FOLDER)
            choosing = {"selection": PhaseEnergy(seconds=1, wh=0.02, g_co2=0.01)}
            ran = {"started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:00:01+00:00", "machine": "m"}
            made.finish(work, FinishedCell(key, cell, make_record(), choosing, {"images": 5, "of": 10}, ran))
    made.write_json("plan.json", [{"key": key} for key in KEYS])
    return made


def use(ledger: Ledger) -> list[str]:
    """Use all cells of a ledger in every way. Return the keys of the cells that were read."""
    read = [cell.key for cell in ledger]
    outcome = outcome_of(ledger)
    outcome.to_dict()
    finished_rows(ledger)
    comparable_rows(ledger)
    repr(ledger), ledger._repr_html_()
    ledger.to_frame(), ledger.comparisons_frame()
    return read


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", [CELL_FILE, f"{TRAIN_FOLDER}/{RECORD_NAME}", "plan.json"])
def test_no_edit_stops_the_other_cells(ledger: Ledger, name: str, part: int) -> None:
    file = (ledger.path if name == "plan.json" else ledger.path / "cells" / "mms-0") / name
    before = file.read_text()
    failed = []
    try:
        for number, (what, edited) in enumerate(edits(json.loads(before))):
            if number % 4 != part or (number // 4) % 3:
                continue
            file.write_text(json.dumps(edited))
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    read = use(ledger)
                    if set(KEYS) - {"mms-0"} - set(read):
                        failed.append(f"{what}: another cell is lost")
                    if "mms-0" not in read and not any(file.name in str(item.message) for item in caught):
                        failed.append(f"{what}: nothing says that the cell is left out")
                except InputError as error:
                    if name != "plan.json" or "plan.json" not in str(error):
                        failed.append(f"{what}: {error}")
                except Exception as error:
                    failed.append(f"{what}: {type(error).__name__}: {error}")
    finally:
        file.write_text(before)
    assert not failed, f"{len(failed)}\n" + "\n".join(failed[:40])


def test_a_damaged_cell_is_named_with_its_field(ledger: Ledger) -> None:
    file = ledger.path / "cells" / "mms-0" / CELL_FILE
    before = file.read_text()
    try:
        file.write_text(before.replace('"keep": 0.5', '"keep": "half"'))
        with pytest.warns(DetreduceWarning, match=r"mms-0.*cell\.json.*cell\.keep"):
            assert [row["key"] for row in ledger.rows()] == sorted(set(KEYS) - {"mms-0"})
        with pytest.raises(InputError, match=r"cell\.keep"):
            ledger["mms-0"]
    finally:
        file.write_text(before)


def make_evidence() -> Evidence:
    rng = np.random.default_rng(0)
    images = np.array(["val/a", "val/b"])
    hit = rng.random((4, 10)) < 0.5
    return Evidence(
        images, np.ones((2, 2), np.int32), np.array([0, 1, 0, 1], np.int32), np.array([0, 0, 1, 1], np.int32),
        rng.random(4), hit, ~hit & (rng.random((4, 10)) < 0.2),
    )  # fmt: skip


def test_evidence_with_one_bit_flipped_is_an_error_or_another_number(tmp_path: Path) -> None:
    file = tmp_path / EVIDENCE_NAME
    make_evidence().save(file)
    whole = file.read_bytes()
    assert len(Evidence.load(file)) == 4
    for bit in range(0, 8 * len(whole), 7):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        file.write_bytes(data)
        with contextlib.suppress(DetreduceError):
            Evidence.load(file).in_order_of(np.array(["val/b", "val/a"]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image", np.array([0, 1, 0, 9])),
        ("class_id", np.array([0, 0, 1, -1])),
        ("confidence", np.array([0.1, 0.2, 0.3, np.nan])),
        ("confidence", np.array([0.1])),
        ("truth", np.ones(2, int)),
        ("images", np.array(["val/a"])),
        ("hit", np.ones((4, 1), np.uint8)),
        ("schema", np.array([1, 1])),
    ],
)
def test_evidence_that_does_not_fit_together_is_refused(tmp_path: Path, name: str, value: np.ndarray) -> None:
    file = tmp_path / EVIDENCE_NAME
    make_evidence().save(file)
    with np.load(file) as content:
        arrays = dict(content)
    np.savez(file, **{**arrays, name: value})
    with pytest.raises(InputError, match=EVIDENCE_NAME):
        Evidence.load(file)


@pytest.mark.parametrize("kind", ["link", "loop", "fifo", "folder link"])
@pytest.mark.parametrize("place", ["cells/srs-0/selection.json", "features-1.json", "selections/a.json"])
def test_a_merge_takes_nothing_from_outside(ledger: Ledger, tmp_path: Path, kind: str, place: str) -> None:
    import os

    other = tmp_path / "other"
    shutil.copytree(ledger.path, other)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("private")
    path = other / place
    path.parent.mkdir(exist_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to({"link": secret / "key", "loop": path, "folder link": secret}[kind])
    with pytest.raises(InputError, match=path.name):
        merge_ledgers(other, tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_merge_takes_links_inside(ledger: Ledger, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(ledger.path, other)
    (other / "cells/srs-0/again.json").symlink_to("cell.json")
    assert len(merge_ledgers(other, tmp_path / "into").copied) == len(KEYS)


def test_an_edited_cost_is_one_error_or_is_read(tmp_path: Path) -> None:
    file = tmp_path / "features-x.json"
    energy = PhaseEnergy(seconds=3.0, wh=1.0, g_co2=2.0).model_dump()
    for what, content in edits({"energy": energy, "from_cache": 3, "images": 9}):
        file.write_text(json.dumps(content))
        try:
            _, cost = read_checked(file, CostFile, "the cost of features")
        except InputError as error:
            assert str(file) in str(error), what
        else:
            assert cost.from_cache >= 0 and isinstance(cost.energy.seconds, float), what
