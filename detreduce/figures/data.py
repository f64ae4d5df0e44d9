"""Figures of the classes, box sizes, image categories and features of a dataset, and of the kept images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from detreduce.figures.style import BLUE, MUTED, Figure, drawn, short, styled

SHOWN_CLASSES = 30
LONGEST_NAME = 40
# sqrt(box area / image area)
SIZE_BOUNDS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)


def class_bars(
    names: Sequence[str], full: npt.ArrayLike, kept: npt.ArrayLike | None = None, *, shown: int = SHOWN_CLASSES
) -> Figure:
    """Draw the share of each class among all boxes and among the kept boxes.

    Parameters
    ----------
    names
        Names of the C classes.
    full, kept
        (C,) numbers of boxes of each class, among all boxes and among the kept boxes. If `kept` is None, draw only the
        shares among all boxes.
    shown
        Largest number of classes to draw. The most common classes are drawn.
    """
    labels, parts = _class_shares(names, full, kept, shown)
    with styled():
        figure, (axes,) = drawn(7.2, _height(len(labels)))
        _paired_bars(axes, labels, parts, "share of the boxes", flat=True)
        _legend(figure, axes)
    return figure


def size_bars(full: npt.ArrayLike, kept: npt.ArrayLike | None = None) -> Figure:
    """Draw the shares of box sizes, in bins of sqrt(box area / image area), for all boxes and for the kept boxes.

    `full` and `kept` have one size per box. A size is NaN if the size of the image is not known; such boxes are left
    out.
    """
    with styled():
        figure, (axes,) = drawn(7.2, 2.9)
        _size_bars(axes, full, kept)
        _legend(figure, axes)
    return figure


def class_and_size_bars(
    names: Sequence[str], counts: npt.ArrayLike, sizes: npt.ArrayLike, *, shown: int = SHOWN_CLASSES
) -> Figure:
    """Draw `class_bars` above `size_bars`, both for all boxes."""
    labels, parts = _class_shares(names, counts, None, shown)
    with styled():
        heights = [_height(len(labels)), 2.9]
        figure, (above, below) = drawn(7.2, sum(heights), rows=2, height_ratios=heights)
        _paired_bars(above, labels, parts, "share of the boxes", flat=True)
        _size_bars(below, sizes, None)
    return figure


def category_bars(
    names: Sequence[str], full: npt.ArrayLike, kept: npt.ArrayLike, *, shown: int = SHOWN_CLASSES
) -> Figure:
    """Draw the number of images in each image category, among all images and among the kept images.

    Parameters
    ----------
    names
        Names of the C categories.
    full, kept
        (C,) numbers of images in each category, among all images and among the kept images.
    shown
        Largest number of categories to draw. The largest categories are drawn.
    """
    order, labels = _commonest(names, np.asarray(full, float), shown)
    parts = [np.asarray(counts, float)[order] for counts in (full, kept)]
    with styled():
        figure, (axes,) = drawn(7.2, _height(len(labels)))
        _paired_bars(axes, labels, parts, "images", flat=True)
        _legend(figure, axes)
    return figure


def feature_map(points: npt.ArrayLike, kept: npt.ArrayLike | None = None, *, explained: Sequence[float] = ()) -> Figure:
    """Draw each image as a point whose coordinates are its first two principal components.

    Kept images are filled, larger and in front.

    Parameters
    ----------
    points
        (n, 2) positions of the images.
    kept
        (n,) bool: whether each image is kept. If it is None, all images look the same.
    explained
        Share of the variance (0 to 1) along each axis, for the labels of the axes.
    """
    places = np.asarray(points, float).reshape(-1, 2)
    chosen = np.ones(len(places), bool) if kept is None else np.asarray(kept, bool)
    with styled():
        figure, (axes,) = drawn(5.6, 4.6)
        if not chosen.all():
            others = axes.scatter(
                places[~chosen, 0], places[~chosen, 1], s=18, facecolors="none", edgecolors=MUTED, linewidths=0.8
            )
            others.set_label(f"dropped ({int((~chosen).sum())})")
            others.set_gid("dropped")
        front = axes.scatter(places[chosen, 0], places[chosen, 1], s=22, color=BLUE, linewidths=0, alpha=0.85)
        front.set_label(f"{'images' if kept is None else 'kept'} ({int(chosen.sum())})")
        front.set_gid("kept")
        shares = [f" ({share:.0%} of the variance)" for share in explained] or ["", ""]
        axes.set_xlabel(f"first component{shares[0]}")
        axes.set_ylabel(f"second component{shares[1]}")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(False)
        figure.legend(loc="outside upper left", ncols=2, fontsize=8.5)
    return figure


def _height(bars: int) -> float:
    """Return the height, in inches, of a figure with this number of horizontal bars."""
    return 0.9 + 0.3 * max(1, bars)


def _commonest(
    names: Sequence[str], counts: npt.NDArray[np.float64], shown: int
) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Return the indices of the `shown` largest counts, and the labels of their bars.

    If names are left out, the last label says how many.
    """
    order = np.argsort(-counts, kind="stable")[:shown]
    labels = [short(names[place], LONGEST_NAME) for place in order]
    if len(names) > shown:
        labels[-1] = f"{labels[-1]} (and {len(names) - shown} rarer)"
    return order, labels


def _class_shares(
    names: Sequence[str], full: npt.ArrayLike, kept: npt.ArrayLike | None, shown: int
) -> tuple[list[str], list[npt.NDArray[np.float64]]]:
    """Return the labels of the most common classes, and lists of their shares.

    The first list has the shares among all boxes, from 0 to 1. If `kept` is given, the second list has the shares among
    the kept boxes.
    """
    counts = np.asarray(full, float)
    order, labels = _commonest(names, counts, shown)
    parts = [counts[order] / max(counts.sum(), 1)]
    if kept is not None:
        kept_counts = np.asarray(kept, float)
        parts.append(kept_counts[order] / max(kept_counts.sum(), 1))
    return labels, parts


def _size_bars(axes: Axes, full: npt.ArrayLike, kept: npt.ArrayLike | None) -> None:
    labels = [f"to {high:g}" for high in SIZE_BOUNDS[1:]]
    parts = []
    for sizes in [full] if kept is None else [full, kept]:
        known = np.asarray(sizes, float)
        counts, _ = np.histogram(np.clip(known[np.isfinite(known)], 0, 1), SIZE_BOUNDS)
        parts.append(counts / max(counts.sum(), 1))
    _paired_bars(axes, labels, parts, "share of the boxes", flat=False)
    axes.set_xlabel("box size: sqrt(box area / image area)")
    axes.tick_params(axis="x", labelsize=8)


def _paired_bars(
    axes: Axes, labels: Sequence[str], parts: Sequence[npt.NDArray[np.float64]], axis: str, *, flat: bool
) -> None:
    """Draw the bars of all images next to the bars of the kept images. With ``flat=True``, the bars are horizontal."""
    places = np.arange(len(labels))
    looks = [("all images", MUTED, "///"), ("kept", BLUE, "")][: len(parts)]
    thick = 0.8 / len(parts)
    for number, (values, (name, colour, hatch)) in enumerate(zip(parts, looks, strict=True)):
        at = places + (number - (len(parts) - 1) / 2) * thick
        bars = axes.barh if flat else axes.bar
        bars(at, values, thick, label=name, color="none" if hatch else colour, hatch=hatch, edgecolor=colour)
    ticks = (axes.set_yticks, axes.set_xlabel) if flat else (axes.set_xticks, axes.set_ylabel)
    ticks[0](places, list(labels), parse_math=False)
    ticks[1](axis)
    if flat:
        axes.invert_yaxis()
    axes.grid(False, axis="y" if flat else "x")


def _legend(figure: Figure, axes: Axes) -> None:
    """Add a legend if the figure shows both all images and the kept images."""
    if len(axes.containers) > 1:
        figure.legend(loc="outside upper left", ncols=2, fontsize=8.5)
