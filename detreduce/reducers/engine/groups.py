"""Groups of images (videos, sequences), and the most that may be chosen of each."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError
from detreduce.reducers.engine.pool import IntArray, Pool
from detreduce.reducers.engine.validation import encode_categories


@dataclass(frozen=True)
class Groups:
    """The group of each image.

    Attributes
    ----------
    codes
        (n,) group numbers 0..G-1.
    labels
        The G labels, sorted.
    most
        Images that may be chosen of one group; None is no limit.
    """

    codes: IntArray
    labels: list[Any]
    most: int | None = None

    @property
    def sizes(self) -> IntArray:
        """(G,) images of each group."""
        return np.bincount(self.codes, minlength=len(self.labels)).astype(np.int64)

    def left(self, chosen: IntArray) -> IntArray:
        """Return (G,) how many more may be chosen of each group once the rows `chosen` are."""
        most = self.sizes if self.most is None else np.minimum(self.sizes, self.most)
        return most - np.bincount(self.codes[chosen], minlength=len(self.labels))

    def room(self, strata: IntArray, count: int, chosen: IntArray) -> IntArray:
        """Return (count,) how many more images of each stratum may be chosen, were it alone, once `chosen` are."""
        free = np.ones(len(strata), bool)
        free[chosen] = False
        pairs, sizes = np.unique(strata[free] * len(self.labels) + self.codes[free], return_counts=True)
        allowed = np.minimum(sizes, self.left(chosen)[pairs % len(self.labels)])
        return np.bincount(pairs // len(self.labels), allowed, count).astype(np.int64)

    def reachable(self, present: npt.NDArray[np.bool_], held: IntArray) -> IntArray:
        """Return (C,) how many rows with each class can be held at most; `present` (n, C) says which rows have it."""
        left = self.left(held)
        free = np.ones(len(present), bool)
        free[held] = False
        found = present[held].sum(axis=0)
        for label in range(present.shape[1]):
            sizes = np.bincount(self.codes[free & present[:, label]], minlength=len(left))
            found[label] += np.minimum(sizes, left).sum()
        return found

    def check(self, k: int, initial: IntArray) -> None:
        """Raise InputError where the limit leaves fewer than `k` images, or `initial` breaks it already."""
        if self.most is None:
            return
        left = self.left(initial)
        if (left < 0).any():
            group = int(left.argmin())
            raise InputError(
                f"{self.most - int(left[group])} of the images kept first are of group {self.labels[group]!r}, more "
                f"than max_per_group={self.most} allows: raise it or name fewer of them."
            )
        possible = int(left.sum()) + len(initial)
        if possible < k:
            raise InputError(
                f"keep asks for {k} images, but max_per_group={self.most} leaves {possible} of the "
                f"{len(self.labels)} groups: raise max_per_group or keep fewer."
            )


def make_groups(groups: Any, max_per_group: Any, n: int) -> Groups | None:
    """Return the groups of n images, or None where there are none.

    Raises
    ------
    InputError
        For groups of another length or with missing labels, a limit that is no count, and a limit without groups.
    """
    if max_per_group is not None:
        whole = isinstance(max_per_group, numbers.Integral) and not isinstance(max_per_group, bool)
        if not whole or max_per_group < 1:
            raise InputError(f"max_per_group={max_per_group!r} is not a count of images: give 1 or more.")
        if groups is None:
            raise InputError("max_per_group is given without groups=: give the group (video, sequence) of each image.")
    if groups is None:
        return None
    codes, labels = encode_categories(groups, n, "groups")
    return Groups(codes, labels, None if max_per_group is None else int(max_per_group))


class Openings:
    """Which rows of a pool a greedy method may still choose: none twice, and no more of a group than allowed.

    Attributes
    ----------
    mask
        (n_c,) bool, kept up to date by `take`.
    """

    def __init__(self, pool: Pool) -> None:
        self.mask = np.ones(len(pool), bool)
        self.mask[pool.initial] = False
        self._codes, self._left = pool.group_codes, pool.group_left
        if self._codes is not None and self._left is not None:
            self._left = self._left.copy()
            self.mask &= self._left[self._codes] > 0
            self._by_group = np.argsort(self._codes, kind="stable")
            self._starts = np.searchsorted(self._codes[self._by_group], np.arange(len(self._left) + 1))

    @property
    def limited(self) -> bool:
        """Whether a row may be closed that was not taken."""
        return self._left is not None

    def take(self, row: int) -> None:
        """Close the row, and its group's rows where that is full."""
        self.mask[row] = False
        if self._codes is None or self._left is None:
            return
        group = self._codes[row]
        self._left[group] -= 1
        if self._left[group] <= 0:
            self.mask[self._by_group[self._starts[group] : self._starts[group + 1]]] = False

    def take_first(self, rows: Iterable[int], count: int) -> list[int]:
        """Take the first `count` of `rows` that may be chosen; return them."""
        taken: list[int] = []
        for row in rows:
            if len(taken) == count:
                break
            if self.mask[row]:
                taken.append(row)
                self.take(row)
        return taken


def fill_seats(
    sequence: IntArray,
    orders: Sequence[IntArray],
    complete: npt.NDArray[np.bool_],
    groups: Groups,
    chosen: IntArray,
    length: int,
) -> tuple[IntArray, list[int]]:
    """Give each seat to its stratum's best image whose group is not full, until `length` are filled.

    A stratum that has no such image gives its seat up, which leaves it to the next in the sequence: that is the seat
    rule among the strata that can still fill a seat.

    Parameters
    ----------
    sequence
        Stratum of each seat, in the order in which seats are given, one seat an image.
    orders
        Rows of each stratum, best first.
    complete
        (C,) whether an order holds all that may be chosen of its stratum; the others may turn out too short.
    groups
        The groups with their limit.
    chosen
        Rows chosen before.
    length
        Seats to fill; fewer, where the limit allows no more.

    Returns
    -------
    rows : (m,) int64
        The rows chosen, in order of the seats; of use only where no stratum is short.
    short : list of int
        Strata whose order was too short for a seat of theirs.
    """
    left = groups.left(chosen).tolist()
    codes = [groups.codes[order].tolist() for order in orders]
    places = [0] * len(orders)
    rows: list[int] = []
    unfilled: list[int] = []
    for stratum in sequence.tolist():
        if len(rows) + len(unfilled) == length:
            break
        mine, place = codes[stratum], places[stratum]
        while place < len(mine) and left[mine[place]] <= 0:
            place += 1
        if place < len(mine):
            left[mine[place]] -= 1
            rows.append(int(orders[stratum][place]))
            place += 1
        elif not complete[stratum]:
            unfilled.append(stratum)
        places[stratum] = place
    return np.array(rows, np.int64), sorted(set(unfilled))
