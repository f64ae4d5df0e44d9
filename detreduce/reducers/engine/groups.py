"""Groups of images (for example videos), and a limit on the number of images that are chosen from one group."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import as_sparse, images_of_classes, rows_of_entries
from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.reducers.engine.pool import IntArray, Pool
from detreduce.reducers.engine.validation import encode_categories

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Groups:
    """The group of each image, and the largest number of images to choose from one group.

    Attributes
    ----------
    codes
        (n,) group numbers 0..G-1.
    labels
        The G labels, sorted.
    most
        The largest number of images to choose from one group. None means that there is no limit.
    """

    codes: IntArray
    labels: list[Any]
    most: int | None = None

    @property
    def sizes(self) -> IntArray:
        """(G,) number of images in each group."""
        return np.bincount(self.codes, minlength=len(self.labels)).astype(np.int64)

    def remaining(self, chosen: IntArray) -> IntArray:
        """Return (G,) how many images may still be chosen from each group, given the rows that are already `chosen`."""
        most = self.sizes if self.most is None else np.minimum(self.sizes, self.most)
        return most - np.bincount(self.codes[chosen], minlength=len(self.labels))

    def room(self, strata: IntArray, count: int, chosen: IntArray) -> IntArray:
        """Return how many more images each stratum could get if the other strata got none, (count,).

        A stratum is a set of images with its own quota, normally an image category. `strata` is the (n,) stratum of
        each row, a number from 0 to count - 1. The rows in `chosen` are already chosen.
        """
        free = np.ones(len(strata), bool)
        free[chosen] = False
        pairs, sizes = np.unique(strata[free] * len(self.labels) + self.codes[free], return_counts=True)
        allowed = np.minimum(sizes, self.remaining(chosen)[pairs % len(self.labels)])
        return np.bincount(pairs // len(self.labels), allowed, count).astype(np.int64)

    def reachable(self, counts: npt.ArrayLike | csr_array, chosen: IntArray) -> IntArray:
        """Return the largest number of images with each class that can be chosen, (C,).

        This number includes the rows in `chosen`. `counts` (n, C), dense or sparse, is the number of boxes of each
        class in each image.
        """
        table, groups = as_sparse(counts), len(self.labels)
        rows = rows_of_entries(table)
        free = np.ones(table.shape[0], bool)
        free[chosen] = False
        entries = free[rows]
        keys = table.indices[entries].astype(np.int64) * groups + self.codes[rows[entries]]
        pairs, sizes = np.unique(keys, return_counts=True)
        allowed = np.minimum(sizes, self.remaining(chosen)[pairs % groups])
        more = np.bincount(pairs // groups, allowed, table.shape[1]).astype(np.int64)
        return images_of_classes(table[chosen]) + more

    def check(self, k: int, initial: IntArray) -> None:
        """Raise InputError if the limit allows fewer than `k` images, or if `initial` already exceeds the limit."""
        if self.most is None:
            return
        remaining = self.remaining(initial)
        if (remaining < 0).any():
            group = int(remaining.argmin())
            raise InputError(
                f"{self.most - int(remaining[group])} of the images that must be kept are in group "
                f"{self.labels[group]!r}, but max_per_group={self.most} allows fewer. Raise max_per_group, or remove "
                "some of these images from the list of images that must be kept."
            )
        possible = int(remaining.sum()) + len(initial)
        if possible < k:
            raise InputError(
                f"keep asks for {k} images, but max_per_group={self.most} allows only "
                f"{counted(possible, 'image')} from "
                f"{counted(len(self.labels), 'group')}. Raise max_per_group or keep fewer images."
            )


def make_groups(groups: Any, max_per_group: Any, n: int) -> Groups | None:
    """Create the groups of n images. Return None if `groups` is None.

    Raises
    ------
    InputError
        `groups` does not have n labels, or a label is missing. `max_per_group` is not a count of at least 1, or is
        given without `groups`.
    """
    if max_per_group is not None:
        whole = isinstance(max_per_group, numbers.Integral) and not isinstance(max_per_group, bool)
        if not whole or max_per_group < 1:
            raise InputError(f"max_per_group={max_per_group!r} is not a number of images. Use 1 or more.")
        if groups is None:
            raise InputError("max_per_group needs groups=. Pass the group of each image, for instance its video.")
    if groups is None:
        return None
    codes, labels = encode_categories(groups, n, "groups")
    return Groups(codes, labels, None if max_per_group is None else int(max_per_group))


class Openings:
    """The candidates of a greedy method: the rows of a pool that are not chosen and whose group is not full.

    Attributes
    ----------
    mask
        (n_c,) bool: True for candidates. `take` updates this array.
    """

    def __init__(self, pool: Pool) -> None:
        self.mask = np.ones(len(pool), bool)
        self.mask[pool.initial] = False
        self._codes: IntArray | None = None
        self._remaining: IntArray | None = None
        if pool.group_codes is not None and pool.group_left is not None:
            # store only the groups that occur in this pool, because there can be many groups and many pools
            own, codes = np.unique(pool.group_codes, return_inverse=True)
            remaining = pool.group_left[own]
            self.mask &= remaining[codes] > 0
            self._by_group = np.argsort(codes, kind="stable")
            self._starts = np.searchsorted(codes[self._by_group], np.arange(len(remaining) + 1))
            self._codes, self._remaining = codes, remaining

    @property
    def limited(self) -> bool:
        """Whether the number of images from one group is limited."""
        return self._remaining is not None

    def take(self, row: int) -> None:
        """Choose a row, which removes it from the candidates.

        If its group is now full, all other rows of the group are removed too.
        """
        self.mask[row] = False
        if self._codes is None or self._remaining is None:
            return
        group = self._codes[row]
        self._remaining[group] -= 1
        if self._remaining[group] <= 0:
            self.mask[self._by_group[self._starts[group] : self._starts[group + 1]]] = False

    def take_first(self, rows: Iterable[int], count: int) -> list[int]:
        """Choose the first `count` candidates among `rows`, or all of them if there are fewer. Return the chosen
        rows.
        """
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
    """Fill `length` seats. Each seat gets the best image of its stratum whose group is not full.

    A seat is one place in the quota of a stratum (normally an image category). If a stratum has no such image left, the
    next stratum in the sequence gets the seat.

    Parameters
    ----------
    sequence
        Stratum of each seat, in the order in which seats are filled. There is one seat for each image of the dataset.
    orders
        The ranked rows of each stratum, best first.
    complete
        (C,) bool: whether the ranking of a stratum contains all rows that can be chosen from it. If not, the ranking
        may be too short.
    groups
        The groups and their limit.
    chosen
        Rows that are already chosen.
    length
        Number of seats to fill. If the limit allows fewer images, fewer seats are filled.

    Returns
    -------
    rows : (m,) int64
        The chosen rows, in the order of the seats. They are valid only if `short` is empty.
    short : list of int
        The strata whose rankings are too short.
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
