from __future__ import annotations

from dataclasses import dataclass

import pytest
from drawn_things import colliding_ticks, points_of, svg_of, takes_no_text_for_mathematics, ticks_of

from detreduce.figures import difference_intervals
from detreduce.figures.style import GREEN, MUTED, ORANGE


@dataclass
class Found:
    method: str
    keep: float | int
    difference: float
    low: float | None
    high: float | None
    verdict: str


FOUND = [
    Found("$mms$", 0.25, 0.1, 0.05, 0.15, "better than random"),
    Found("<script>", 500, -0.1, -0.2, -0.05, "worse than random"),
    Found("rkm", 0.5, 0.01, None, None, "one seed: no verdict is possible"),
]


def test_each_difference_is_a_point_with_its_interval_in_a_row() -> None:
    figure = difference_intervals(FOUND, "mAP50 minus srs")
    (axes,) = figure.axes
    assert ticks_of(axes.yaxis) == ["$mms$  25 %", "<script>  500 images", "rkm  50 %"]
    assert [points_of(axes, place) for place in range(3)] == [[[0.1, 0]], [[-0.1, 1]], [[0.01, 2]]]
    better, worse, zero = axes.lines
    assert (list(better.get_xdata()), list(better.get_ydata())) == ([0.05, 0.15], [0, 0])
    assert (list(worse.get_xdata()), list(worse.get_ydata())) == ([-0.2, -0.05], [1, 1])
    assert list(zero.get_xdata()) == [0, 0]
    assert axes.get_xlabel() == "mAP50 minus srs"
    assert takes_no_text_for_mathematics(figure)
    assert "<script>" not in svg_of(figure)


def test_verdicts_differ_in_colour_and_in_shape() -> None:
    marks = difference_intervals(FOUND, "").axes[0].collections
    from matplotlib.colors import to_hex

    assert [to_hex(mark.get_facecolor()[0]) for mark in marks] == [GREEN, ORANGE, MUTED]
    shapes = [mark.get_paths()[0].vertices.tolist() for mark in marks]
    assert shapes[0] != shapes[1] != shapes[2] != shapes[0]


@pytest.mark.parametrize("scale", [1e-4, 0.0123, 0.3, 1.0])
def test_numbers_below_long_names_do_not_collide(scale: float) -> None:
    found = [
        Found("class_coverage(minimum=3, balance=0.25)" * 3, 0.25, scale / 3, -scale / 7, scale, "better than random"),
        Found("k", 0.5, -scale, -1.3 * scale, -scale / 2, "worse than random"),
    ]
    figure = difference_intervals(found, "mAP50-95 minus the equal-steps control")
    assert not colliding_ticks(figure)
    assert max(map(len, ticks_of(figure.axes[0].yaxis))) < 72, "names leave room for the intervals"


def test_nothing_to_compare_is_an_empty_picture() -> None:
    assert not difference_intervals([], "x").axes[0].collections
