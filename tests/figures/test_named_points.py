"""Names at the points of a chart: all names that have room, without overlaps."""

from __future__ import annotations

import math

from matplotlib.text import Annotation, Text

from detreduce.figures.named_points import NamedPoint, cut_in_the_middle, named_points
from detreduce.vocabulary.controls import Role

AXES = ("cost", "mAP")


def points(count: int, apart: float) -> list[NamedPoint]:
    return [
        NamedPoint(f"method{place} 10 %", 10.0, 0.3 + apart * place, math.nan, Role.METHOD, place == 0)
        for place in range(count)
    ]


def test_the_axis_of_mAP_does_not_go_below_0() -> None:
    figure, _ = named_points([NamedPoint(name, 10.0 + len(name), 0.0, 0.0, Role.METHOD) for name in ("a", "bb")], AXES)
    low, high = figure.axes[0].get_ylim()
    assert low == 0 < high


def test_close_points_have_names_that_do_not_overlap() -> None:
    figure, nameless = named_points([*points(5, 0.004), NamedPoint("all images", 100.0, 0.6, 0.01, Role.FULL)], AXES)
    names = [text for text in figure.axes[0].texts if isinstance(text, Annotation)]
    assert nameless == 0 and len(names) == 6
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in names]
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])
    assert names[0].get_fontweight() == "bold"


def test_names_without_room_are_counted() -> None:
    figure, nameless = named_points(points(60, 0.0), AXES, (3.0, 3.0))
    assert nameless > 0 and len(figure.axes[0].texts) == 60 - nameless > 0


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    assert cut_in_the_middle("short", 10) == "short"
    assert cut_in_the_middle("a-very-long-name-25 %", 11) == "a-ver…-25 %"
