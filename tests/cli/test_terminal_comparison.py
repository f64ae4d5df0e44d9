from __future__ import annotations

import pytest


def test_the_comparison_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from detreduce.cli import terminal
    from detreduce.cli.terminal_comparison import show_comparison
    from detreduce.experiment.statistics import Summary

    out = Console(width=80, record=True, markup=False)
    monkeypatch.setattr(terminal, "console", lambda **_: out)
    mean = {"mAP50": 0.5234, "mAP50_95": 0.3, "Wh": 2.24, "g_co2": 0.39, "minutes": 6.0, "TFLOPs": 43.6}
    show_comparison("x", [Summary("mms(start=3)", 0.25, 112, 3, False, mean, mean, mean)])
    text = out.export_text()
    assert "0.523 ± 0.523" in text and "2.24 ± 2.24" in text and "…" not in text
