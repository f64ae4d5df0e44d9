"""The table at the end of `run`."""

from __future__ import annotations

import pytest
from rich.console import Console

from detreduce.cli.show import terminal
from detreduce.cli.show.comparison import show_comparison
from detreduce.experiment.ledger.views import _result_table
from detreduce.experiment.results.result_table import result_table
from detreduce.experiment.statistics import Summary

MEAN = {"mAP50": 0.5234, "mAP50_95": 0.3, "Wh": 2.24, "g_co2": 0.39, "minutes": 6.0, "TFLOPs": 43.6}


def test_the_comparison_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Console(width=80, record=True, markup=False)
    monkeypatch.setattr(terminal, "console", lambda **_: out)
    show_comparison("x", result_table([Summary("mms(start=3)", 0.25, 112, 3, False, MEAN, MEAN, MEAN)]))
    text = out.export_text()
    assert "0.523 ± 0.523" in text and "2.24 ± 2.24" in text and "…" not in text


@pytest.mark.parametrize("paired", [True, False])
def test_a_difference_without_a_seed_in_common_says_so(paired: bool, capsys: pytest.CaptureFixture[str]) -> None:
    show_comparison("x", result_table([Summary("mms", 0.25, 112, 3, False, MEAN, MEAN, MEAN, paired=paired)]))
    shown = capsys.readouterr().out
    assert ("+0.523~" in shown, "~ no training seed in common with full" in shown) == (not paired, not paired)
    assert "%~" not in shown


def test_without_a_training_on_all_images_there_is_no_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    for against, shown in ((MEAN, True), ({}, False)):
        table = result_table([Summary("mms", 0.25, 112, 3, False, MEAN, MEAN, against)])
        show_comparison("x", table)
        notebook = _result_table(table)
        assert ["vs full" in text for text in (capsys.readouterr().out, notebook)] == [shown, shown]


def test_one_image_is_not_all_images(capsys: pytest.CaptureFixture[str]) -> None:
    keeps: list[float | int] = [1, 1.0]
    show_comparison("x", result_table([Summary("random", keep, 1, 1, True, MEAN, MEAN, {}) for keep in keeps]))
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "random" in line]
    assert any("image" in row for row in rows) and any("100" in row for row in rows)
    assert not any("all" in row for row in rows)
