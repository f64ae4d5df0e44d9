"""The table of mAP on corrupted images: its rows and its means."""

from __future__ import annotations

import math
from typing import Any

import pytest

from detreduce.cli.show import terminal
from detreduce.cli.show.comparison import show_robustness
from detreduce.experiment.results.robustness import robustness_table


def row(label: str, keep: float, images: int, value: float, control: str | None = None, **more: Any) -> dict[str, Any]:
    found = {"label": label, "keep": keep, "images": images, "control": control, "mAP50_95": 0.5}
    tried = {"mAP50_95_blur": value, "mAP50_95_corrupted": value, "rPC": value / 0.5}
    return {**found, **tried, **more}


ROWS = [
    row("csod", 0.1, 10, 0.2),
    row("csod", 0.1, 10, 0.3),
    row("srs", 0.5, 50, 0.25),
    row("full", 1.0, 100, 0.4, "full"),
    {"label": "mms", "keep": 0.5, "images": 50, "control": None, "mAP50_95": 0.5},
]


def test_cells_without_corruptions_are_left_out_and_controls_come_first():
    table = robustness_table(ROWS)
    assert [(one.method, one.keep, one.cells) for one in table.rows] == [
        ("full", 1.0, 1), ("srs", 0.5, 1), ("csod", 0.1, 2)
    ]  # fmt: skip
    assert table.headings == ["method", "keep", "cells", "clean", "blur", "mean corrupted", "rPC"]
    csod = table.rows[-1]
    assert csod.means["corrupted"] == pytest.approx(0.25) and csod.means["rPC"] == pytest.approx(0.5)
    assert csod.spreads["blur"] == pytest.approx(0.1 / math.sqrt(2))
    assert table.texts[-1][3:] == ["0.500 ± 0.000", "0.250 ± 0.071", "0.250 ± 0.071", "0.500 ± 0.141"]
    assert table.texts[0][3:] == ["0.500", "0.400", "0.400", "0.800"]
    assert table.to_dict()[0]["spreads"]["blur"] is None, "JSON has no NaN"


def test_what_is_not_known_is_a_dash():
    table = robustness_table([row("srs", 0.5, 50, 0.0, rPC=None)])
    assert table.texts[0][-1] == "-" and table.texts[0][-2] == "0.000"


def test_without_corruptions_nothing_is_shown(capsys):
    show_robustness(terminal.console(), robustness_table(ROWS[-1:]))
    assert capsys.readouterr().out == ""
    show_robustness(terminal.console(), robustness_table(ROWS))
    text = capsys.readouterr().out
    assert "0.250 ± 0.071" in text and "rPC" in text and "mms" not in text
