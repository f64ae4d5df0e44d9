from __future__ import annotations

import numpy as np
import pytest
from drawn_things import HOSTILE, bars_of, legend_of, points_of, svg_of, takes_no_text_for_mathematics, ticks_of

from detreduce.figures import category_bars, class_and_size_bars, class_bars, feature_map, size_bars


def test_class_bars_are_shares_of_all_and_of_the_kept_commonest_first() -> None:
    figure = class_bars(["rare", "common", "never"], [1, 9, 0], [1, 1, 0])
    (axes,) = figure.axes
    assert ticks_of(axes.yaxis) == ["common", "rare", "never"]
    assert [width for width, _ in bars_of(axes, 0)] == pytest.approx([0.9, 0.1, 0])
    assert [width for width, _ in bars_of(axes, 1)] == pytest.approx([0.5, 0.5, 0])
    assert legend_of(figure) == ["all images", "kept"]
    assert axes.yaxis_inverted(), "the commonest is on top"


def test_alone_the_full_data_has_wide_bars_and_no_legend() -> None:
    figure = class_bars(["a", "b"], [3, 1])
    assert [width for width, _ in bars_of(figure.axes[0])] == pytest.approx([0.75, 0.25])
    assert [height for _, height in bars_of(figure.axes[0])] == pytest.approx([0.8, 0.8])
    assert legend_of(figure) == []


def test_more_classes_than_fit_are_counted_in_words_and_stay_in_the_shares() -> None:
    figure = class_bars([f"c{number}" for number in range(50)], [2] * 50, shown=3)
    assert ticks_of(figure.axes[0].yaxis) == ["c0", "c1", "c2 (and 47 rarer)"]
    assert [width for width, _ in bars_of(figure.axes[0])] == pytest.approx([0.02] * 3)


def test_no_boxes_at_all_are_bars_of_nothing() -> None:
    assert [width for width, _ in bars_of(class_bars(["a"], [0], [0]).axes[0], 1)] == [0]
    assert bars_of(class_bars([], []).axes[0]) == []
    assert [height for _, height in bars_of(size_bars([]).axes[0])] == [0] * 7


def test_box_sizes_fall_in_their_bins_and_unknown_ones_in_none() -> None:
    figure = size_bars([0.01, 0.03, 0.04, 0.3, 1.5, float("nan")], [0.3])
    (axes,) = figure.axes
    assert ticks_of(axes.xaxis) == ["to 0.02", "to 0.05", "to 0.1", "to 0.2", "to 0.4", "to 0.7", "to 1"]
    assert [height for _, height in bars_of(axes, 0)] == pytest.approx([0.2, 0.4, 0, 0, 0.2, 0, 0.2])
    assert [height for _, height in bars_of(axes, 1)] == pytest.approx([0, 0, 0, 0, 1, 0, 0])


def test_a_dataset_is_its_classes_above_its_sizes() -> None:
    above, below = class_and_size_bars(["a", "b"], [1, 3], [0.3, 0.3, 0.9, 0.9]).axes
    assert ticks_of(above.yaxis) == ["b", "a"]
    assert [width for width, _ in bars_of(above)] == pytest.approx([0.75, 0.25])
    assert [height for _, height in bars_of(below)] == pytest.approx([0, 0, 0, 0, 0.5, 0, 0.5])


def test_categories_are_numbers_of_images() -> None:
    figure = category_bars(["a", "b"], [4, 10], [1, 3])
    assert ticks_of(figure.axes[0].yaxis) == ["b", "a"]
    assert [[width for width, _ in bars_of(figure.axes[0], kind)] for kind in (0, 1)] == [[10, 4], [3, 1]]
    assert figure.axes[0].get_xlabel() == "images"


def test_the_map_has_every_image_once_kept_or_dropped() -> None:
    figure = feature_map([[0, 1], [2, 3], [4, 5]], [True, False, True], explained=(0.5, 0.25))
    (axes,) = figure.axes
    assert points_of(axes, 0) == [[2, 3]]
    assert points_of(axes, 1) == [[0, 1], [4, 5]]
    assert legend_of(figure) == ["dropped (1)", "kept (2)"]
    assert "50%" in axes.get_xlabel() and "25%" in axes.get_ylabel()
    assert len(axes.collections[0].get_facecolor()) == 0, "dropped ones are hollow, so that colour is not needed"


def test_a_map_without_a_selection_is_all_images() -> None:
    figure = feature_map(np.zeros((4, 2)))
    assert len(points_of(figure.axes[0])) == 4
    assert legend_of(figure) == ["images (4)"]


def test_hostile_names_are_drawn_as_they_are() -> None:
    for figure in (class_bars(HOSTILE, range(8)), category_bars(HOSTILE, range(8), range(8))):
        labels = ticks_of(figure.axes[0].yaxis)
        assert {"$x$", "<script>alert(1)</script>", "שלום עולם", "🦈", "two lines", "caf\\udce9"} <= set(labels)
        assert max(map(len, labels)) == 40
        assert takes_no_text_for_mathematics(figure)
        svg = svg_of(figure)
        assert "<script" not in svg and "&lt;script&gt;alert(1)&lt;/script&gt;" in svg
        assert "שלום עולם" in svg and "$x$" in svg
