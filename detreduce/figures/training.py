"""The figure of one training: the loss and the mAP after each epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from detreduce.figures.style import COLOURS, INK, Figure, drawn, short, start_at_zero, styled

Epoch = Mapping[str, float | None]

MARKERS = ("o", "s", "^", "D", "v", "P")
WHAT = {"(B)": "boxes", "(M)": "masks", "(P)": "keypoints"}


def loss_of(epoch: Epoch, part: str = "train/") -> float:
    """Return the sum of the losses of an epoch, or NaN if the epoch has no losses.

    `part` chooses the training losses (``train/``) or the validation losses (``val/``).
    """
    parts = [value for name, value in epoch.items() if name.startswith(part) and value is not None]
    return math.fsum(parts) if parts else math.nan


def training_curves(history: Sequence[Epoch], final: Mapping[str, float] | None = None) -> Figure:
    """Draw the loss after each epoch on the left, and the mAP after each epoch on the right.

    Parameters
    ----------
    history
        One mapping per epoch, as in `TrainingRecord.history`. It has the losses (``train/…`` and ``val/…``). An epoch
        that was validated also has metrics such as ``metrics/mAP50(B)``.
    final
        The mAP values that were measured after the training, by name. These values are drawn as points at the last
        epoch.
    """
    epochs = [epoch.get("epoch") or place + 1 for place, epoch in enumerate(history)]
    with styled():
        figure, (left, right) = drawn(8.4, 3.4, columns=2)
        for number, (part, name) in enumerate((("train/", "training"), ("val/", "validation"))):
            losses = [loss_of(epoch, part) for epoch in history]
            if any(map(math.isfinite, losses)):
                left.plot(epochs, losses, color=(COLOURS[0], INK)[number], linestyle=("-", "--")[number], label=name)
        left.set_ylabel("loss, the sum of its parts")
        measured = [name for name in dict.fromkeys(key for epoch in history for key in epoch) if "/mAP" in name]
        kinds = {name[-3:] for name in measured}
        for number, name in enumerate(measured):
            values = [math.nan if (value := epoch.get(name)) is None else value for epoch in history]
            kind = f", {WHAT.get(name[-3:], name[-3:])}" if len(kinds) > 1 else ""
            label = f"{name.removeprefix('metrics/').partition('(')[0]}{kind} on val"
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            right.plot(epochs, values, color=colour, marker=marker, markersize=3, label=label)
        for number, (name, value) in enumerate((final or {}).items()):
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            right.scatter(
                epochs[-1:], [value], s=46, facecolors="none", edgecolors=colour, marker=marker, label=short(name)
            )
        right.set_ylabel("mAP")
        for axes in (left, right):
            start_at_zero(axes)
            _over_epochs(axes)
    return figure


def _over_epochs(axes: Axes) -> None:
    """Label the horizontal axis as epochs, and add a legend if the axes are not empty."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles: list[Any] = axes.get_legend_handles_labels()[0]
    if handles:
        axes.legend(fontsize=8.5)
