from __future__ import annotations

from typing import Any

import pytest
from drawn_things import HOSTILE, colliding_ticks, legend_of, points_of, svg_of, takes_no_text_for_mathematics, ticks_of

from detreduce.figures import energy_by_phase, learning_curves, trade_off
from detreduce.figures.cost import cost_of, pareto_front


def row(label: str, keep: float | int, cost: float | None, value: float | None, **more: Any) -> dict[str, Any]:
    control = label if label in ("full", "full_equal_iterations", "random") else None
    return {"label": label, "control": control, "keep": keep, "TFLOPs": cost, "mAP50_95": value, "mAP50": value, **more}


def curve(axes: Any, place: int = 0) -> tuple[list[float], list[float]]:
    line = axes.lines[place]
    return list(line.get_xdata()), list(line.get_ydata())


def annotations(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(
    ("costs", "values", "front"),
    [
        ([1, 2, 3], [0.1, 0.2, 0.3], [0, 1, 2]),
        ([1, 2, 3], [0.3, 0.2, 0.1], [0]),
        ([2, 1, 3], [0.2, 0.2, 0.4], [1, 2]),
        ([1, 1], [0.1, 0.2], [1]),
        ([], [], []),
    ],
)
def test_the_pareto_front_by_hand(costs: list[float], values: list[float], front: list[int]) -> None:
    assert pareto_front(costs, values) == front


def test_the_trade_off_has_each_cell_each_mean_and_the_front() -> None:
    rows = [row("full", 1.0, 100, 0.6), row("mms", 0.25, 20, 0.4), row("mms", 0.25, 30, 0.5), row("srs", 0.5, 50, 0.3)]
    figure = trade_off(rows)
    assert figure is not None
    (axes,) = figure.axes
    points = [point for place in range(len(axes.collections)) for point in points_of(axes, place)]
    for cell in ([100, 0.6], [20, 0.4], [30, 0.5], [50, 0.3]):
        assert cell in points
    assert any(point == pytest.approx([25, 0.45]) for point in points), "the mean of mms"
    assert curve(axes) == ([pytest.approx(25), 100], [pytest.approx(0.45), 0.6]), "srs is beaten by a cheaper one"
    assert set(annotations(figure)) == {"full", "mms 25 %"}
    assert set(legend_of(figure)) == {"all images", "random subsets", "subset or recipe", "Pareto front"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("TFLOPs of training", "mAP50-95")
    assert axes.get_xscale() == "log"


def test_cells_that_lack_a_figure_are_left_out_and_without_any_there_is_no_picture() -> None:
    assert trade_off([row("mms", 0.5, None, 0.4), row("mms", 0.5, 3, None)]) is None
    assert trade_off([]) is None
    figure = trade_off([row("mms", 0.5, None, 0.4), row("srs", 0.5, 3, 0.2)])
    assert figure is not None and legend_of(figure) == ["random subsets"]


def test_the_cost_of_a_cell_has_its_choosing_and_none_where_it_was_not_alone() -> None:
    assert cost_of({"Wh": 2.0, "features_Wh": 0.5, "selection_Wh": None}, "Wh") == 2.5
    assert cost_of({"Wh": 2.0, "overlapped": True}, "Wh") is None
    assert cost_of({"TFLOPs": 2.0, "overlapped": True, "features_Wh": 1.0}, "TFLOPs") == 2.0
    unknown = {"Wh": 2.0, "selection_Wh": None, "selection_seconds": 3.0}
    assert cost_of(unknown, "Wh") is None, "a choice whose energy is not known is not free"


def test_learning_curves_are_means_over_seeds_in_a_panel_a_keep() -> None:
    first = [{"train/box": 3.0, "train/cls": 1.0, "val/box": 9.0}, {"train/box": 2.0}]
    second = [{"train/box": 2.0}, {"train/box": 1.0}, {"train/box": 0.5}]
    cells = [
        (row("mms", 0.25, 1, 1, images_seen=10), first),
        (row("mms", 0.25, 1, 1, images_seen=15), second),
        (row("full", 1.0, 1, 1, images_seen=40), [{"train/box": 5.0}]),
        (row("srs", 0.5, 1, 1, images_seen=20), [{"train/box": 4.0}]),
        (row("srs", 0.5, 1, 1, images_seen=20), [{"lr/pg0": 0.1}]),
    ]
    figure = learning_curves(cells)
    assert figure is not None
    half, quarter = figure.axes
    assert [half.get_title(), quarter.get_title()] == ["keep 50 %", "keep 25 %"]
    drawn = [curve(quarter, place) for place in range(2)]
    assert ([5, 10], [3.0, 1.5]) in drawn, "as far as the shortest goes"
    assert ([40], [5.0]) in drawn, "full is in every panel"
    assert set(legend_of(figure)) == {"all images", "random subsets", "subset or recipe"}
    assert learning_curves([(row("mms", 0.5, 1, 1, images_seen=3), [])]) is None


def test_learning_curves_of_mAP_have_the_epochs_that_were_validated() -> None:
    def history(*values: float | None) -> list[dict[str, float | None]]:
        return [{"train/box": 1.0} | ({} if value is None else {"metrics/mAP50-95(B)": value}) for value in values]

    cells = [
        (row("mms", 0.25, 1, 1, images_seen=30), history(0.1, None, 0.3)),
        (row("mms", 0.25, 1, 1, images_seen=30), history(0.3, 0.4, 0.5)),
        (row("full", 1.0, 1, 1, images_seen=90), history(None, None, 0.6)),
        (row("srs", 0.25, 1, 1, images_seen=30), history(None, None, None)),
    ]
    figure = learning_curves(cells, "mAP50_95")
    assert figure is not None
    (axes,) = figure.axes
    drawn = [curve(axes, place) for place in range(len(axes.lines))]
    assert sorted(drawn) == [
        ([10, 30], [pytest.approx(0.2), pytest.approx(0.4)]),
        ([90], [pytest.approx(0.6)]),
    ]
    assert {line.get_marker() for line in axes.lines} == {"None", "s"}, "a single point is a mark"
    assert axes.get_ylabel() == "mAP50-95 on val"
    assert learning_curves(cells[-1:], "mAP50_95") is None


def test_amounts_keep_their_digits() -> None:
    figure = trade_off([row("mms", 0.25, 0.0041, 0.4), row("full", 1.0, 123456, 0.6)])
    assert figure is not None
    svg = svg_of(figure)
    assert "0.400 at 0.0041 TFLOPs" in svg and "0.600 at 123456 TFLOPs" in svg
    assert "0.01" in ticks_of(figure.axes[0].xaxis) and "10000" in ticks_of(figure.axes[0].xaxis)


@pytest.mark.parametrize("seen", [3, 123456, 10**8])
def test_numbers_below_narrow_panels_do_not_collide(seen: int) -> None:
    losses = [{"train/box": 1.0}, {"train/box": 0.5}]
    figure = learning_curves([(row("mms", keep, 1, 1, images_seen=seen), losses) for keep in (0.5, 0.25, 0.1)])
    assert figure is not None
    assert not colliding_ticks(figure)


def test_phases_are_stacked() -> None:
    figure = energy_by_phase([("mms", {"training": 2.0, "features": 1.0}), ("srs", {"training": 3.0})])
    (axes,) = figure.axes
    assert ticks_of(axes.yaxis) == ["mms", "srs"]
    training, features = ([(bar.get_x(), bar.get_width()) for bar in bars] for bars in axes.containers)
    assert training == [(0, 2), (0, 3)]
    assert features == [(2, 1), (3, 0)]
    assert legend_of(figure) == ["training", "features"]
    seven = energy_by_phase([("mms", dict.fromkeys("abcdefg", 1.0))]).axes[0].containers
    assert len({(bars[0].get_facecolor(), bars[0].get_hatch()) for bars in seven}) == 7


def test_only_the_phases_asked_for_in_their_order() -> None:
    figure = energy_by_phase(
        [("mms", {"training": 2.0, "features": 1.0, "other": 9.0})], phases=["features", "training"]
    )
    assert legend_of(figure) == ["features", "training"]
    assert [bars[0].get_x() for bars in figure.axes[0].containers] == [0, 1]


def test_hostile_labels_are_drawn_as_they_are() -> None:
    rows = [row(name, 0.5, 10.0 ** (place + 1), place + 1.0) for place, name in enumerate(HOSTILE[:4])]
    trade, energy = trade_off(rows), energy_by_phase([(name, {name: 1.0}) for name in HOSTILE])
    assert trade is not None
    for figure in (trade, energy):
        assert takes_no_text_for_mathematics(figure)
        svg = svg_of(figure)
        assert "<script" not in svg and "&lt;script&gt;" in svg and "שלום עולם" in svg
    assert "$x$ 50 %" in annotations(trade)
