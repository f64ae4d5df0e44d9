"""A ledger in a notebook."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detreduce.errors import DetreduceWarning, InputError
from detreduce.experiment.ledger.finished_cell import CELL_FILE, TRAIN_FOLDER, FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.training.record import TrainingRecord

Make = Callable[..., TrainingRecord]


@pytest.fixture
def ledger(tmp_path: Path, make_record: Make) -> Ledger:
    """A cell of `full`, two cells of a method with a hostile name and two of srs. The plan leaves out one finished
    cell.
    """
    found = Ledger.create(tmp_path / "<b>")
    cells: list[tuple[str, float | int, int, float]] = [
        ("full", 1.0, 0, 0.6),
        ("<script>", 0.25, 0, 0.3),
        ("<script>", 0.25, 1, 0.4),
        ("srs", 0.25, 0, 0.2),
        ("srs", 0.25, 1, 0.24),
        ("srs", 1, 0, 0.1),
    ]
    keys = []
    for label, keep, seed, map50 in cells:
        keys.append(f"{len(keys)}-{seed}")
        control = "full" if label == "full" else None
        facts: dict[str, Any] = {"key": keys[-1], "label": label, "method": label, "control": control, "keep": keep}
        facts |= {"selection_seed": seed, "training_seed": seed}
        with found.claim(keys[-1]) as work:
            assert work is not None
            (work / TRAIN_FOLDER).mkdir()
            make_record(map50=map50, wh=10 * map50, images=int(100 * map50)).save(work / TRAIN_FOLDER)
            found.finish(work, FinishedCell(keys[-1], facts, make_record()))
    found.write_text("plan.json", json.dumps([{"key": key} for key in keys[:-1]]))
    return found


def test_the_table_has_means_spread_and_differences(ledger: Ledger) -> None:
    page = ledger._repr_html_()
    assert "<script" not in page and "<b>" not in page
    number = '<td class="number">'
    cells = ("25 %", "30", "2", "0.350 ± 0.071", "-0.300")
    assert "&lt;script&gt;</td>" + "".join(f"{number}{cell}</td>" for cell in cells) in page
    assert f"full</td>{number}all</td>" in page
    assert f"3.50 ± 0.71</td>{number}-42 %</td>" in page
    assert "minus srs" in page and "+0.130" in page
    assert "over seeds alone" in page
    assert "0.100" not in page, "cells of earlier plans are no part of it"


def test_what_is_empty_or_damaged_is_said_in_the_table(ledger: Ledger, tmp_path: Path) -> None:
    assert "no finished cells" in Ledger(tmp_path / "nothing")._repr_html_()
    assert "no finished cells" in Ledger.create(tmp_path / "new")._repr_html_()
    (ledger.cell_folder("0-0") / CELL_FILE).write_text("{")
    with pytest.warns(DetreduceWarning, match="is not a finished cell"):
        assert "srs" in ledger._repr_html_()  # the other cells are shown
    (ledger.path / "plan.json").write_text("{")
    assert "is not a plan" in ledger._repr_html_()


def test_its_name_counts_the_cells(ledger: Ledger) -> None:
    assert repr(ledger) == f"Ledger({ledger.path}, 6 finished cells)"


def test_the_picture_is_accuracy_against_a_cost_that_the_cells_have(ledger: Ledger) -> None:
    def points(figure: Any) -> list[list[float]]:
        return [point for mark in figure.axes[0].collections for point in mark.get_offsets().tolist()]

    # no operations were counted, so the cost is the images seen
    seen = ledger.plot()
    assert seen.axes[0].get_xlabel() == "images seen in training" and seen.axes[0].get_ylabel() == "mAP50-95"
    assert [60, 0.3] in points(seen) and any(point == pytest.approx([35, 0.175]) for point in points(seen))
    assert [10, 0.05] not in points(seen)
    energy = ledger.plot(cost="Wh", measure="mAP50")
    assert energy.axes[0].get_xlabel().startswith("Wh") and [6, 0.6] in points(energy)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cost": "wh"}, "cost 'wh'. Did you mean 'Wh'.*TFLOPs"),
        ({"measure": "mAP5O"}, "measure 'mAP5O'.* Did you mean 'mAP50'"),
        ({"cost": "TFLOPs"}, "TFLOPs and mAP50_95"),
    ],
)
def test_what_cannot_be_drawn_is_told(ledger: Ledger, options: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ledger.plot(**options)


def test_nothing_finished_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"of 0.*mAP50_95"):
        Ledger.create(tmp_path).plot()


def test_a_row_a_cell_and_a_count_stays_one(ledger: Ledger) -> None:
    frame = ledger.to_frame()
    assert len(frame) == 6
    assert frame["mAP50"].tolist() == [0.6, 0.3, 0.4, 0.2, 0.24, 0.1]
    kept = frame["keep"].tolist()
    assert kept[0] == 1.0 and isinstance(kept[0], float), "all images"
    assert kept[-1] == 1 and isinstance(kept[-1], int), "one image"
    assert Ledger.create(ledger.path / "other").to_frame().empty


def test_a_row_a_comparison(ledger: Ledger) -> None:
    frame = ledger.comparisons_frame()
    assert frame["method"].tolist() == ["<script>"] * 2 and frame["against"].tolist() == ["srs"] * 2
    assert frame["difference"].tolist() == pytest.approx([0.13, 0.065])
    assert frame["seeds"].tolist() == [2, 2]
    assert Ledger.create(ledger.path / "other").comparisons_frame().columns.tolist() == frame.columns.tolist()


def test_comparisons_take_the_evidence_in(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Ledger, "evidence", lambda _, key: asked.append(key))
    ledger._repr_html_()
    assert not asked, "a table must not take a second a cell"
    ledger.comparisons_frame()
    assert sorted(asked) == ["1-0", "2-1", "3-0", "4-1"]
