from __future__ import annotations

import pytest

from detreduce.experiment.statistics import Summary

MEAN = {"mAP50": 0.5234, "mAP50_95": 0.3, "Wh": 2.24, "g_co2": 0.39, "minutes": 6.0, "TFLOPs": 43.6}


def test_the_comparison_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from detreduce.cli.show import terminal
    from detreduce.cli.show.comparison import show_comparison

    out = Console(width=80, record=True, markup=False)
    monkeypatch.setattr(terminal, "console", lambda **_: out)
    show_comparison("x", [Summary("mms(start=3)", 0.25, 112, 3, False, MEAN, MEAN, MEAN)])
    text = out.export_text()
    assert "0.523 ± 0.523" in text and "2.24 ± 2.24" in text and "…" not in text


@pytest.mark.parametrize("paired", [True, False])
def test_a_difference_without_a_seed_in_common_says_so(
    paired: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from detreduce.cli.show.comparison import show_comparison

    show_comparison("x", [Summary("mms", 0.25, 112, 3, False, MEAN, MEAN, MEAN, paired=paired)])
    shown = capsys.readouterr().out
    assert ("+0.523~" in shown, "~ no training seed in common with full" in shown) == (not paired, not paired)
    assert "%~" not in shown
