"""Groups of images (videos, sequences), and the largest number to choose from each."""

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
        Largest number of images to choose from one group; None is no limit.
    """

    codes: IntArray
    labels: list[Any]
    most: int | None = None

    @property
    def sizes(self) -> IntArray:
        """(G,) number of images of each group."""
        return np.bincount(self.codes, minlength=len(self.labels)).astype(np.int64)

    def remaining(self, chosen: IntArray) -> IntArray:
        """Return (G,) the number of images that may still be chosen from each group, after the rows `chosen`."""
        most = self.sizes if self.most is None else np.minimum(self.sizes, self.most)
        return most - np.bincount(self.codes[chosen], minlength=len(self.labels))

    def room(self, strata: IntArray, count: int, chosen: IntArray) -> IntArray:
        """Return (count,) the number of images that may still be chosen from each stratum, if only it were chosen from.

        `strata` (n,) has the stratum of each row, 0..count - 1; the rows `chosen` are chosen already.
        """
        free = np.ones(len(strata), bool)
        free[chosen] = False
        pairs, sizes = np.unique(strata[free] * len(self.labels) + self.codes[free], return_counts=True)
        allowed = np.minimum(sizes, self.remaining(chosen)[pairs % len(self.labels)])
        return np.bincount(pairs // len(self.labels), allowed, count).astype(np.int64)

    def reachable(self, present: npt.NDArray[np.bool_], chosen: IntArray) -> IntArray:
        """Return (C,) the largest number of rows with each class that can be chosen, including the rows `chosen`.

        `present` (n, C) is True where a row has a class.
        """
        remaining = self.remaining(chosen)
        free = np.ones(len(present), bool)
        free[chosen] = False
        reachable = present[chosen].sum(axis=0)
        for label in range(present.shape[1]):
            sizes = np.bincount(self.codes[free & present[:, label]], minlength=len(remaining))
            reachable[label] += np.minimum(sizes, remaining).sum()
        return reachable

    def check(self, k: int, initial: IntArray) -> None:
        """Raise InputError if the limit leaves fewer than `k` images, or if `initial` breaks it."""
        if self.most is None:
            return
        remaining = self.remaining(initial)
        if (remaining < 0).any():
            group = int(remaining.argmin())
            raise InputError(
                f"{self.most - int(remaining[group])} of the images kept first are of group {self.labels[group]!r}, "
                f"more than max_per_group={self.most} allows: raise it or keep fewer of them first."
            )
        possible = int(remaining.sum()) + len(initial)
        if possible < k:
            raise InputError(
                f"keep asks for {k} images, but max_per_group={self.most} allows {possible} from "
                f"{len(self.labels)} groups: raise max_per_group or keep fewer."
            )


def make_groups(groups: Any, max_per_group: Any, n: int) -> Groups | None:
    """Return the groups of n images; None if `groups` is None.

    Raises
    ------
    InputError
        For groups of another length or with missing labels, a limit that is not a count, and a limit without groups.
    """
    if max_per_group is not None:
        whole = isinstance(max_per_group, numbers.Integral) and not isinstance(max_per_group, bool)
        if not whole or max_per_group < 1:
            raise InputError(f"max_per_group={max_per_group!r} is not a count of images: give 1 or more.")
        if groups is None:
            raise InputError("max_per_group needs groups=: give the group (for instance the video) of each image.")
    if groups is None:
        return None
    codes, labels = encode_categories(groups, n, "groups")
    return Groups(codes, labels, None if max_per_group is None else int(max_per_group))


class Openings:
    """The rows of a pool that a greedy method may still choose: none twice, and none of a full group.

    Attributes
    ----------
    mask
        (n_c,) bool; `take` updates it.
    """

    def __init__(self, pool: Pool) -> None:
        self.mask = np.ones(len(pool), bool)
        self.mask[pool.initial] = False
        self._codes, self._remaining = pool.group_codes, pool.group_left
        if self._codes is not None and self._remaining is not None:
            self._remaining = self._remaining.copy()
            self.mask &= self._remaining[self._codes] > 0
            self._by_group = np.argsort(self._codes, kind="stable")
            self._starts = np.searchsorted(self._codes[self._by_group], np.arange(len(self._remaining) + 1))

    @property
    def limited(self) -> bool:
        """Whether rows can close that were not taken, because their group is full."""
        return self._remaining is not None

    def take(self, row: int) -> None:
        """Close the row, and all rows of its group if that is full."""
        self.mask[row] = False
        if self._codes is None or self._remaining is None:
            return
        group = self._codes[row]
        self._remaining[group] -= 1
        if self._remaining[group] <= 0:
            self.mask[self._by_group[self._starts[group] : self._starts[group + 1]]] = False

    def take_first(self, rows: Iterable[int], count: int) -> list[int]:
        """Take the first `count` open rows of `rows`; return them."""
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
    """Give each seat to the best image of its stratum whose group is not full, until `length` seats are filled.

    A stratum without such an image loses its seat to the next stratum in the sequence. This is the seat rule among the
    strata that can still fill a seat.

    Parameters
    ----------
    sequence
        Stratum of each seat, in the order in which seats are given; one seat for each image.
    orders
        Rows of each stratum, best first.
    complete
        (C,) whether an order has all rows that may be chosen from its stratum. Other orders may be too short.
    groups
        The groups with their limit.
    chosen
        Rows chosen before.
    length
        Number of seats to fill; fewer are filled if the limit allows no more.

    Returns
    -------
    rows : (m,) int64
        The rows chosen, in the order of the seats; valid only if no stratum is short.
    short : list of int
        Strata whose order was too short.
    """
    remaining = groups.remaining(chosen).tolist()
    codes = [groups.codes[order].tolist() for order in orders]
    places = [0] * len(orders)
    rows: list[int] = []
    unfilled: list[int] = []
    for stratum in sequence.tolist():
        if len(rows) + len(unfilled) == length:
            break
        own, place = codes[stratum], places[stratum]
        while place < len(own) and remaining[own[place]] <= 0:
            place += 1
        if place < len(own):
            remaining[own[place]] -= 1
            rows.append(int(orders[stratum][place]))
            place += 1
        elif not complete[stratum]:
            unfilled.append(stratum)
        places[stratum] = place
    return np.array(rows, np.int64), sorted(set(unfilled))
