from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from detreduce.errors import DetreduceWarning, InputError
from detreduce.experiment.ledger.finished_cell import TRAIN_FOLDER, FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.training.energy import PhaseEnergy
from detreduce.training.evaluation.evidence import EVIDENCE_NAME, Evidence
from detreduce.training.record import TrainingRecord

Make = Callable[..., TrainingRecord]
NO_FLAGS = np.zeros((0, 10), bool)


def finish(ledger: Ledger, key: str, training: TrainingRecord) -> None:
    with ledger.claim(key) as work:
        assert work is not None
        (work / TRAIN_FOLDER).mkdir()
        training.save(work / TRAIN_FOLDER)
        cell = {"key": key, "label": "srs", "method": "srs", "control": None, "keep": 0.5, "training_seed": 0}
        ledger.finish(work, FinishedCell(key, cell, training, {"selection": PhaseEnergy(seconds=2, wh=0.1)}, {"of": 4}))


def test_a_finished_cell_comes_back_whole(tmp_path: Path, make_record: Make) -> None:
    ledger = Ledger.create(tmp_path / "runs" / "x")
    finish(ledger, "srs-1", make_record(map50=0.4, wh=2))
    assert "srs-1" in ledger and len(ledger) == 1
    cell = Ledger(ledger.path)["srs-1"]
    place = {"run": str(ledger.path / "cells" / "srs-1" / TRAIN_FOLDER)}
    assert cell.training == make_record(map50=0.4, wh=2).model_copy(update=place)
    assert cell.selection == {"of": 4}
    row = cell.row()
    assert (row["mAP50"], row["Wh"], row["selection_Wh"], row["keep"]) == (0.4, 2, 0.1, 0.5)
    assert ledger.evidence("srs-1") is None, "cells of older versions have none"
    nothing = np.zeros(0, np.int32)
    made = Evidence(np.array(["test/a.jpg"]), np.ones((1, 1), np.int32), nothing, nothing, np.zeros(0), *[NO_FLAGS] * 2)
    made.save(Path(cell.training.run) / EVIDENCE_NAME)
    found = ledger.evidence("srs-1")
    assert found is not None and found.images.tolist() == ["test/a.jpg"]


def test_an_abandoned_cell_leaves_nothing_and_can_be_claimed_again(tmp_path: Path, make_record: Make) -> None:
    ledger = Ledger.create(tmp_path)
    with pytest.raises(KeyboardInterrupt), ledger.claim("a") as work:
        assert work is not None
        (work / "half").write_text("x")
        raise KeyboardInterrupt
    assert "a" not in ledger and not any((tmp_path / "unfinished").iterdir())
    finish(ledger, "a", make_record())
    with ledger.claim("a") as work:
        assert work is None


def test_a_cell_is_claimed_by_one_process_at_a_time_and_freed_by_its_death(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path)
    script = textwrap.dedent(
        f"""
        import time
        from detreduce.experiment.ledger.ledger import Ledger
        with Ledger({str(tmp_path)!r}).claim("a") as work:
            (work / "half").write_text("x")
            print("claimed", flush=True)
            time.sleep(3000)
        """
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "claimed\n"
        with ledger.claim("a") as work:
            assert work is None
        other.kill()
        other.wait()
    for _ in range(3000):
        with ledger.claim("a") as work:
            if work is not None:
                assert not any(work.iterdir())
                return
        time.sleep(0.1)
    pytest.fail("the claim of a dead process was never freed")


def test_bad_cells_and_folders_are_told(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger")
    broken = ledger.path / "cells" / "b"
    broken.mkdir()
    (broken / "cell.json").write_text("{")
    with pytest.warns(DetreduceWarning, match="not a finished cell"):
        assert list(ledger) == []
    with pytest.raises(InputError, match="not a finished cell"):
        list(ledger.whole())
    with pytest.raises(InputError, match="no finished cell 'c'"):
        ledger["c"]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        Ledger.create(tmp_path / "file")
