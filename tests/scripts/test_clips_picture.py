"""The picture of the clips: every kept difference is drawn at the redundancy of its dataset."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("clips_picture", REPOSITORY / "scripts" / "pictures" / "clips.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_difference_is_drawn_once_where_it_belongs(script: ModuleType) -> None:
    items = list(script.differences())
    assert {item["unevenness"] for item in items} == {1.0, 13.42}
    panels = script.picture(items).axes
    keeps = sorted({item["keep"] for item in items})
    assert len(panels) == len(keeps)
    drawn = 0
    for axes, keep in zip(panels, keeps, strict=True):
        marks = [line for line in axes.lines if line.get_marker() in "osD" and len(line.get_xdata())]
        drawn += len(marks)
        for item in (item for item in items if item["keep"] == keep):
            (mark,) = (line for line in marks if line.get_ydata()[0] == item["difference"])
            assert mark.get_xdata()[0] == pytest.approx(item["unevenness"], rel=0.2)
            shown = item["verdict"].startswith(("better", "worse"))
            assert (mark.get_markerfacecolor() == mark.get_color()) == shown
    assert drawn == len(items)
