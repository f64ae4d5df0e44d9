"""The tables of the paper: every number comes from the cells of its method and keep."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from statistics import fmean

import pytest
from made_up import made_up_ledger

from detreduce.dataset import load_dataset
from detreduce.errors import InputError
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.features import extract_features
from detreduce.report.paper import PaperTables, paper_tables
from detreduce.report.paper.tables import PaperTable
from detreduce.report.shown_cells import read_selection
from detreduce.representativeness import measure_representativeness


def table_of(tables: PaperTables, measure: str) -> PaperTable:
    return next(table for table in tables.tables if table.measure == measure)


def test_rows_are_methods_and_columns_are_keeps(tmp_path: Path) -> None:
    cells = [
        {"label": "full", "keep": 1.0, "seed": 0},
        {"label": "full", "keep": 1.0, "seed": 1},
        {"label": "mms", "keep": 0.1, "seed": 0},
        {"label": "mms", "keep": 0.5, "seed": 0},
        {"label": "full_equal_iterations", "keep": 0.5, "seed": 0},
        {"label": "srs", "keep": 20, "seed": 0},
    ]
    tables = paper_tables(made_up_ledger(tmp_path / "ledger", cells))
    assert list(tables.keeps) == ["all images", "50 %", "10 %", "20 images"]
    found = table_of(tables, "mAP50")
    assert list(found.rows) == ["full", "equal-steps control", "srs", "mms"]
    full, mms = found.rows["full"], found.rows["mms"]
    assert full[0].trainings == 2 and full[0].spread == pytest.approx(0.01 / math.sqrt(2))
    assert [one.trainings for one in mms] == [0, 1, 1, 0]
    assert found.text(mms[0]) == "-" and found.text(mms[1]) == f"{mms[1].mean:.3f}"
    assert not [table for table in tables.tables if table.measure == "epsilon"]
    assert any(note.startswith("Epsilon is left out") and "--data" in note for note in tables.notes)


def test_time_and_co2_include_choosing(tmp_path: Path) -> None:
    cells = [{"label": "full", "keep": 1.0, "seed": 0}, {"label": "mms", "keep": 0.1, "seed": 0}]
    tables = paper_tables(made_up_ledger(tmp_path / "ledger", cells))
    time, co2 = table_of(tables, "time"), table_of(tables, "CO2")
    assert time.title == "time (h)" and co2.title == "CO2 (g)"
    # Trainings: 200 or 20 images, three epochs, a minute and 0.002 g an image. Selections, one in each cell: a second
    # and 0.01 g.
    assert [time.rows["full"][0].mean, time.rows["mms"][1].mean] == pytest.approx(
        [10 + 1 / 3600, 1 + 1 / 3600], rel=1e-9
    )
    assert [co2.rows["full"][0].mean, co2.rows["mms"][1].mean] == pytest.approx([1.2 + 0.01, 0.12 + 0.01])


def test_overlapped_trainings_have_no_time(tmp_path: Path) -> None:
    tables = paper_tables(made_up_ledger(tmp_path / "l", [{"label": "mms", "keep": 0.1, "seed": 0}], overlapped=True))
    assert {table.measure for table in tables.tables} == {"mAP50", "mAP50-95"}
    assert any("leave out" in note for note in tables.notes) and any("`controls`" in note for note in tables.notes)


def test_epsilon_is_that_of_each_selection(hostile: Ledger) -> None:
    tables = paper_tables(hostile)
    cells = [cell for cell in hostile if cell.cell["label"] == "srs" and cell.cell["keep"] == 0.5]
    folder = hostile.path.parent
    data = load_dataset(folder / "set" / "data.yaml")
    features = extract_features(data, f"file:{folder / 'vectors.csv'}", ("image",))
    expected = []
    for cell in cells:
        measured = measure_representativeness(features, read_selection(hostile, cell), "rarest")
        assert measured.epsilon is not None
        expected.append(measured.epsilon.value)
    found = table_of(tables, "epsilon")
    assert found.rows["srs"][1].mean == pytest.approx(fmean(expected))
    assert len(cells) == found.rows["srs"][1].trainings == 3 and len(set(expected)) > 1
    assert found.rows["full"][0].mean == 0 and "equal-steps control" not in found.rows


def test_a_selection_that_is_gone_costs_its_epsilon_alone(hostile: Ledger, tmp_path: Path) -> None:
    copy = Ledger(shutil.copytree(hostile.path, tmp_path / "copy"))
    gone = [cell for cell in copy if cell.cell["label"] == "mms"]
    for cell in gone:
        (copy.cell_folder(cell.key) / "selection.json").unlink()
    tables = paper_tables(copy)
    found = table_of(tables, "epsilon")
    assert found.rows["srs"][1].trainings == 3 and found.rows["mms"][1].trainings == 0
    assert table_of(tables, "mAP50").rows["mms"][1].trainings == 3
    assert any(note.startswith("Epsilon of mms is left out") for note in tables.notes)


def test_an_empty_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished cell"):
        paper_tables(Ledger.create(tmp_path))
