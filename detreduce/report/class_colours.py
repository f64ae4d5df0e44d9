"""How boxes of each class are drawn: a colour and a line style, the same on every picture of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

COLOURS, LINES = 6, 3
MOST = COLOURS * LINES


@dataclass(frozen=True, slots=True)
class Look:
    """CSS classes of a box, the names of the classes drawn like that, and how many more there are."""

    css: str
    names: tuple[str, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Looks:
    """The looks of a dataset's boxes: `of_class[c]` is the CSS of class c; `legend` explains the looks."""

    of_class: tuple[str, ...]
    legend: tuple[Look, ...]


def looks_of(names: Sequence[str], counts: npt.ArrayLike) -> Looks:
    """Return a look for each of the most common classes; the rarest classes share the last look if there are too many.

    `counts`: (C,) boxes of each class.
    """
    order = np.argsort(-np.asarray(counts), kind="stable").tolist()
    own = len(order) if len(order) <= MOST else MOST - 1
    of_class = [_css(MOST - 1)] * len(order)
    for rank, place in enumerate(order[:own]):
        of_class[place] = _css(rank)
    legend = [Look(_css(rank), (names[place],)) for rank, place in enumerate(order[:own])]
    if own < len(order):
        legend.append(Look(_css(MOST - 1), (), len(order) - own))
    return Looks(tuple(of_class), tuple(legend))


def _css(rank: int) -> str:
    return f"c{rank % COLOURS} l{rank // COLOURS}"
