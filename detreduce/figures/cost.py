"""Figures of what trainings cost and how accurate they are: accuracy against cost, learning curves, energy by phase."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from detreduce.display.numbers import significant
from detreduce.figures.roles import LOOKS
from detreduce.figures.style import COLOURS, GREEN, MUTED, Figure, drawn, short, start_at_zero, styled
from detreduce.figures.training import loss_of
from detreduce.vocabulary.controls import FULL, Role, role_of, title_of
from detreduce.vocabulary.keeps import keep_in_words, keep_key
from detreduce.vocabulary.measures import ACCURACIES, CHOOSING_PHASES

Row = Mapping[str, Any]

COSTS = {
    "Wh": "Wh of choosing and training",
    "TFLOPs": "TFLOPs of training",
    "minutes": "minutes of training",
    "images_seen": "images seen in training",
}
# there is one more hatch than there are colours, so a pair of colour and hatch repeats only after many phases
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++", "oo")
MOST_KEEPS = 6
CROWDED = (120.0, 16.0)
"""Smallest horizontal and vertical distance between two names, in pixels. If two names are closer, one is left out."""


def pareto_front(costs: Sequence[float], values: Sequence[float]) -> list[int]:
    """Return the indices of the points on the Pareto front, sorted by cost.

    A point is on the front if every point with a lower cost has a smaller value.
    """
    front: list[int] = []
    best = -math.inf
    for place in sorted(range(len(costs)), key=lambda place: (costs[place], -values[place])):
        if values[place] > best:
            front.append(place)
            best = values[place]
    return front


def trade_off(rows: Iterable[Row], cost: str = "TFLOPs", measure: str = "mAP50_95") -> Figure | None:
    """Draw accuracy against cost.

    The figure shows all cells, the mean of each method at each keep, and the Pareto front of these means.

    Parameters
    ----------
    rows
        Tidy rows of cells with the columns label, control, keep, `cost` and `measure`. A row is left out if its cost or
        its measure is missing. If `cost` is Wh or minutes, rows whose training overlapped another training are also
        left out.
    cost
        One of `COSTS`. Wh include the energy of choosing the images, if the rows contain this energy.
    measure
        ``mAP50`` or ``mAP50_95``.

    Returns
    -------
    Figure or None
        None if no row has both the cost and the measure.
    """
    points = [(row, at) for row in rows if (at := cost_of(row, cost)) is not None and row.get(measure) is not None]
    if not points:
        return None
    groups: dict[tuple[str, str], list[tuple[Row, float]]] = {}
    for row, at in points:
        groups.setdefault((row["label"], keep_key(row["keep"])), []).append((row, at))
    with styled():
        figure, (axes,) = drawn(7.2, 4.4)
        means = []
        for group in groups.values():
            role = role_of(group[0][0])
            look = LOOKS[role]
            xs, ys = [at for _, at in group], [float(row[measure]) for row, _ in group]
            cells = axes.scatter(xs, ys, s=14, c=look.colour, marker=look.marker, alpha=0.35, linewidths=0)
            cells.set_gid(f"title:a training of {_label(group[0][0]['label'], group[0][0])}")
            means.append((float(np.mean(xs)), float(np.mean(ys)), role, group[0][0]))
        for role, look in LOOKS.items():
            own = [(x, y, row) for x, y, other, row in means if other is role]
            if own:
                for number, (x, y, row) in enumerate(own):
                    mark = axes.scatter([x], [y], s=46, c=look.colour, marker=look.marker, clip_on=False)
                    mark.set_gid(f"title:{_label(row['label'], row)}: {y:.3f} at {significant(x)} {cost}")
                    if number == 0:
                        mark.set_label(look.name)
        front = pareto_front([x for x, *_ in means], [y for _, y, *_ in means])
        if len(front) > 1:
            xs, ys = [means[place][0] for place in front], [means[place][1] for place in front]
            axes.plot(xs, ys, color=GREEN, linewidth=1.4, drawstyle="steps-post", label="Pareto front", zorder=1)
        costs = [x for x, *_ in means]
        if min(costs) > 0 and max(costs) > 3 * min(costs):
            axes.set_xscale("log")
            plain_ticks(axes.xaxis, min(costs), max(costs))
        axes.margins(x=0.12)
        start_at_zero(axes)
        _name_points(axes, [means[place] for place in front])
        axes.set_xlabel(COSTS[cost])
        axes.set_ylabel(ACCURACIES[measure])
        figure.legend(loc="outside upper left", ncols=3, fontsize=8.5)
    return figure


def _name_points(axes: Any, points: Sequence[tuple[float, float, Role, Row]]) -> None:
    """Write the name of each point next to the point, starting with the best point.

    A name is left out if it would be too close to a name that is already there.
    """
    named: list[Any] = []
    for x, y, _, row in reversed(points):
        place = axes.transData.transform((x, y))
        if all(abs(place[0] - other[0]) > CROWDED[0] or abs(place[1] - other[1]) > CROWDED[1] for other in named):
            named.append(place)
            text = _label(title_of(str(row["label"])), row)
            # below a point on the axis, there is no room for its name
            down = -11 if place[1] - axes.bbox.y0 > 14 * axes.figure.dpi / 72 else 6
            axes.annotate(text, (x, y), (5, down), textcoords="offset points", fontsize=8.5)


def cost_of(row: Row, cost: str) -> float | None:
    """Return a cost from a row. Wh include the energy of choosing the images.

    Return None if the cost is not known. Wh and minutes count as unknown if the training overlapped another training.
    """
    value = row.get(cost)
    if value is None or (row.get("overlapped") and cost in ("Wh", "minutes")):
        return None
    if cost == "Wh":
        parts = [(row.get(f"{phase}_Wh"), row.get(f"{phase}_seconds")) for phase in CHOOSING_PHASES]
        if any(wh is None and seconds is not None for wh, seconds in parts):
            return None
        value += sum(wh or 0.0 for wh, _ in parts)
    return float(value)


def _label(name: str, row: Row) -> str:
    """Return `name` followed by the keep of the row, or `name` alone for the control `full`."""
    if row["control"] == FULL:
        return name
    return f"{short(name)} {keep_in_words(row['keep'])}".strip()


def plain_ticks(axis: Any, low: float, high: float) -> None:
    """Label a logarithmic axis with plain numbers instead of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    few = high / low < 30
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: significant(value)))
    axis.set_minor_formatter(NullFormatter())


def learning_curves(
    curves: Iterable[tuple[Row, Sequence[Mapping[str, float | None]]]], measure: str = "loss"
) -> Figure | None:
    """Draw the training loss or mAP against the images seen, as the mean over the seeds of each method.

    Parameters
    ----------
    curves
        For each cell, its tidy row and its list of epochs (`TrainingRecord.history`). There is one panel for each keep.
    measure
        ``loss``: the training loss. ``mAP50`` or ``mAP50_95``: mAP of boxes, for cells that were validated during
        training.

    Returns
    -------
    Figure or None
        None if no cell has the measure.
    """
    groups: dict[tuple[str, str], list[tuple[Row, np.ndarray, np.ndarray]]] = {}
    for row, history in curves:
        values = np.array([_after(epoch, measure) for epoch in history], float)
        if len(values) and np.isfinite(values).any():
            seen = np.linspace(0, row["images_seen"], len(values) + 1)[1:]
            groups.setdefault((row["label"], keep_key(row["keep"])), []).append((row, seen, values))
    keeps = {
        keep_key(group[0][0]["keep"]): group[0][0]["keep"]
        for group in groups.values()
        if group[0][0]["control"] != FULL
    }
    panels = sorted(keeps.values(), key=lambda keep: -float(keep))[:MOST_KEEPS] or [1.0]
    if not groups:
        return None
    with styled():
        columns = min(3, len(panels))
        lines = math.ceil(len(panels) / columns)
        figure, axes = drawn(7.2, 2.9 * lines + 0.3, columns, lines, sharey=True)
        named: dict[str, Any] = {}
        for place, keep in enumerate(panels):
            for role, look in reversed(LOOKS.items()):
                for (_, at), group in groups.items():
                    if role_of(group[0][0]) is not role or (at != keep_key(keep) and group[0][0]["control"] != FULL):
                        continue
                    (line,) = _curve(axes[place], group, role)
                    named.setdefault(look.name, line)
            axes[place].set_title("" if len(keeps) == 0 else f"keep {keep_in_words(keep)}", fontsize=10)
            axes[place].set_xlabel("images seen")
            axes[place].xaxis.set_major_locator(MaxNLocator(nbins=3 if columns > 1 else 6))
        start_at_zero(axes[0])
        for unused in axes[len(panels) :]:
            unused.set_axis_off()
        axes[0].set_ylabel("training loss" if measure == "loss" else f"{ACCURACIES[measure]} on val")
        order = [look.name for look in LOOKS.values() if look.name in named]
        figure.legend([named[name] for name in order], order, loc="outside upper left", ncols=2, fontsize=8.5)
    return figure


def _after(epoch: Mapping[str, float | None], measure: str) -> float:
    """Return the measure of an epoch, or NaN if the epoch does not have it."""
    if measure == "loss":
        return loss_of(epoch)
    value = epoch.get(f"metrics/{ACCURACIES[measure]}(B)")
    return math.nan if value is None else value


def _curve(axes: Any, group: Sequence[tuple[Row, np.ndarray, np.ndarray]], role: Role) -> Any:
    """Draw the mean over the cells of a group, up to the last epoch that all cells have. Return the drawn line."""
    length = min(len(values) for _, _, values in group)
    seen = np.mean([seen[:length] for _, seen, _ in group], axis=0)
    mean = np.mean([values[:length] for _, _, values in group], axis=0)
    known = np.isfinite(mean)
    look, is_method = LOOKS[role], role is Role.METHOD
    # a single point cannot be drawn as a line, so it gets a marker
    marker = look.marker if known.sum() == 1 else None
    width, alpha = (1.0, 0.55) if is_method else (2.0, 1.0)
    return axes.plot(seen[known], mean[known], color=look.colour, linewidth=width, alpha=alpha, marker=marker)


def energy_by_phase(
    rows: Sequence[tuple[str, Mapping[str, float]]], unit: str = "Wh", *, phases: Sequence[str] | None = None
) -> Figure:
    """Draw one horizontal bar per row, divided into phases.

    Parameters
    ----------
    rows
        For each bar, its label and a mapping from each phase to an amount in `unit`.
    unit
        The unit of the amounts, which is the label of the axis.
    phases
        The phases to draw, in this order. Default: all phases, in order of appearance.
    """
    if phases is None:
        phases = list(dict.fromkeys(phase for _, parts in rows for phase in parts))
    with styled():
        figure, (axes,) = drawn(7.2, 0.9 + 0.27 * len(rows))
        left = np.zeros(len(rows))
        for number, phase in enumerate(phases):
            widths = np.array([parts.get(phase, 0.0) for _, parts in rows])
            hatch = HATCHES[number % len(HATCHES)]
            axes.barh(
                range(len(rows)),
                widths,
                left=left,
                color=COLOURS[number % len(COLOURS)],
                label=short(phase),
                hatch=hatch,
                # matplotlib uses the edge colour for the hatch
                edgecolor="white",
                linewidth=0,
            )
            left += widths
        axes.set_yticks(range(len(rows)), [short(label) for label, _ in rows], parse_math=False)
        axes.invert_yaxis()
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", color=MUTED, length=0)
        axes.set_xlabel(unit)
        if phases:
            figure.legend(loc="outside upper left", ncols=4, fontsize=8.5)
    return figure
