"""Find a small set of images with which each class reaches its floor, without exceeding the limit of any group.

The floor of a class is the minimum number of kept images that have a box of this class.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import as_sparse, images_of_classes, rows_of_entries
from detreduce.reducers.engine.groups import Groups

if TYPE_CHECKING:
    from scipy.sparse import csr_array

IntArray = npt.NDArray[np.int64]


def floor_rows(
    counts: npt.ArrayLike | csr_array,
    floors: IntArray,
    kept: IntArray,
    draw: npt.NDArray[np.uint64],
    groups: Groups | None = None,
) -> IntArray:
    """Return a small set of rows with which every class reaches its floor.

    A greedy search repeatedly adds the row that helps the most classes. Without a limit on groups, every class reaches
    its floor, or all of its rows are chosen.

    With a limit, the greedy search may fill a group with rows of one class although another class needs rows of this
    group. Therefore, rows are afterwards swapped within full groups. If every row has only one class, the number of
    rows that are still missing is then as small as possible.

    If rows have several classes, the result is not always optimal, because the problem (set cover) is NP-hard. In
    particular, more rows may be chosen than necessary.

    Parameters
    ----------
    counts
        (n, C), dense or sparse: the number of boxes of each class in each row.
    floors
        (C,): the minimum number of rows of each class. If a class has fewer rows, all of them are chosen.
    kept
        The rows that are already kept. They count towards the floors.
    draw
        (n,): random numbers that break ties. The row with the lowest number comes first.
    groups
        The groups and their limit. No group gets more rows than the limit, even if a class stays below its floor.
    """
    table = as_sparse(counts)
    reachable = images_of_classes(table) if groups is None else groups.reachable(table, kept)
    goal = np.minimum(floors, reachable)
    chosen = _greedy(table, goal, kept, draw, groups)
    if groups is not None:
        chosen = _Exchange(table, goal, kept, draw, groups, chosen).improved()
    return np.array(chosen, np.int64)


def _greedy(
    counts: csr_array, goal: IntArray, kept: IntArray, draw: npt.NDArray[np.uint64], groups: Groups | None
) -> list[int]:
    """Return the rows to add. Each step adds the row that helps the most classes that are still below their goal."""
    missing = goal - images_of_classes(counts[kept])
    left = None if groups is None else groups.remaining(kept)
    gain = _count_wanted(counts, missing > 0)
    gain[kept] = 0
    helpful = np.flatnonzero(gain)
    # gains only decrease, so if the gain at the top of the heap is still correct, its row is the best one
    heap = list(zip((-gain[helpful]).tolist(), draw[helpful].tolist(), helpful.tolist(), strict=True))
    heapq.heapify(heap)
    place = {row: counts.indices[counts.indptr[row] : counts.indptr[row + 1]] for row in helpful.tolist()}
    chosen: list[int] = []
    while heap and (missing > 0).any():
        known, tie, row = heapq.heappop(heap)
        if left is not None and groups is not None and left[groups.codes[row]] < 1:
            continue
        now = -int((missing[place[row]] > 0).sum())
        if now == known:
            chosen.append(row)
            missing[place[row]] -= 1
            if left is not None and groups is not None:
                left[groups.codes[row]] -= 1
        elif now:
            heapq.heappush(heap, (now, tie, row))
    return chosen


def _count_wanted(counts: csr_array, wanted: npt.NDArray[np.bool_]) -> IntArray:
    """Return (n,) the number of `wanted` classes in each row. `wanted` is (C,) bool."""
    return np.bincount(rows_of_entries(counts)[wanted[counts.indices]], minlength=counts.shape[0]).astype(np.int64)


class _Exchange:
    """Swap rows within groups so that more classes reach their goal.

    The goal of a class is its floor. If fewer rows of the class can be chosen, the goal is the number of these rows.

    A swap adds a row of a class below its goal. The swap removes another row from the same full group. If another class
    is then below its goal, the next swap adds a row of that class. Such a chain of swaps is an augmenting path. Each
    step reads only the groups that have rows of one class, because the number of classes can be large.
    """

    def __init__(
        self,
        counts: csr_array,
        goal: IntArray,
        kept: IntArray,
        draw: npt.NDArray[np.uint64],
        groups: Groups,
        chosen: list[int],
    ) -> None:
        self.present, self.goal, self.codes = counts.astype(bool), goal, groups.codes
        self.by_class = self.present.tocsc()
        taken = np.concatenate([kept, np.array(chosen, np.int64)])
        self.free = np.ones(counts.shape[0], bool)
        self.free[taken] = False
        self.left = groups.remaining(taken)
        self.count = images_of_classes(self.present[taken])
        # sort the best rows to the end, because an assignment by index keeps the last row of each group
        order = np.lexsort((draw, -_count_wanted(counts, goal > 0)))[::-1]
        self.place = np.argsort(order)
        # group -> its chosen rows, each with its place in the order of choice
        self.turns: dict[int, dict[int, int]] = {}
        self.steps = 0
        for row in chosen:
            self._add(row)

    def improved(self) -> list[int]:
        """Make all swaps that bring a class nearer to its goal. Return the chosen rows."""
        closed: set[int] = set()
        # this is a heap to which more classes are added, because a swap can bring a class below its goal
        short = np.flatnonzero(self.count < self.goal).tolist()
        while short:
            start = heapq.heappop(short)
            if start in closed or self.count[start] >= self.goal[start]:
                continue
            into, out, seen = self._chain(start, closed)
            if into and self._apply(into, out):
                for label in {start, *self._classes_of(out).tolist()}:
                    heapq.heappush(short, label)
            else:
                # no chain from any of these classes can succeed
                closed |= {start} if into else seen
        turns = {row: turn for rows in self.turns.values() for row, turn in rows.items()}
        return sorted(turns, key=turns.__getitem__)

    def _chain(self, start: int, closed: set[int]) -> tuple[list[int], list[int], set[int]]:
        """Find the shortest chain of swaps that adds one row of the class `start`.

        The chain does not visit any class in `closed`.

        Return the rows to add, the rows to remove, and the classes that were visited. If there is no such chain, both
        lists of rows are empty.
        """
        came: dict[int, tuple[int, int, int]] = {}
        seen, queue = {start}, deque([start])
        while queue:
            label = queue.popleft()
            owners = self._rows_with(label)
            rows = owners[self.free[owners]]
            rows = rows[np.argsort(self.place[rows])]
            open_rows = rows[self.left[self.codes[rows]] > 0]
            if len(open_rows):
                return *_back(came, label, [int(open_rows[-1])], []), seen
            best = dict(zip(self.codes[rows].tolist(), rows.tolist(), strict=True))
            removable = self._chosen_in(best, owners)
            instead = np.array([best[group] for group in self.codes[removable].tolist()], np.int64)
            lost = self._lost(removable, instead)
            losses = np.diff(lost.indptr)
            if len(removable) and losses.min() == 0:
                place = int(losses.argmin())
                return *_back(came, label, [int(instead[place])], [int(removable[place])]), seen
            for place in np.flatnonzero(losses == 1).tolist():
                other = int(lost.indices[lost.indptr[place]])
                if other not in seen and other not in closed:
                    seen.add(other)
                    queue.append(other)
                    came[other] = (label, int(instead[place]), int(removable[place]))
        return [], [], seen

    def _rows_with(self, label: int) -> IntArray:
        column = self.by_class.indices[self.by_class.indptr[label] : self.by_class.indptr[label + 1]]
        return np.asarray(column, np.int64)

    def _classes_of(self, rows: list[int]) -> IntArray:
        """Return the classes of some rows. A class is repeated if several of the rows have it."""
        return np.asarray(self.present[rows].indices, np.int64)

    def _chosen_in(self, groups: Iterable[int], without: IntArray) -> IntArray:
        """Return the chosen rows of some groups, in the order of choice, except the rows in `without`."""
        turns = [self.turns.get(group, {}) for group in groups]
        rows = np.array([row for own in turns for row in own], np.int64)
        order = np.argsort(np.array([turn for own in turns for turn in own.values()], np.int64))
        return rows[order][~np.isin(rows[order], without)]

    def _lost(self, removed: IntArray, instead: IntArray) -> csr_array:
        """Return (m, C) bool: the classes that would fall below their goal by each exchange of two rows.

        Exchange i puts the row ``instead[i]`` in the place of the row ``removed[i]``.
        """
        tight = self.present[removed]
        tight.data &= self.count[tight.indices] <= self.goal[tight.indices]
        return as_sparse(tight > self.present[instead])

    def _apply(self, into: list[int], out: list[int]) -> bool:
        """Add the rows `into`, remove the rows `out`, and return True.

        Return False and change nothing in two cases: a row occurs twice in the chain, or the chain would not reduce the
        number of missing rows.
        """
        added, removed = self._classes_of(into), self._classes_of(out)
        changed = np.union1d(added, removed)
        old, goal = self.count[changed], self.goal[changed]
        new = old.copy()
        np.add.at(new, np.searchsorted(changed, added), 1)
        np.subtract.at(new, np.searchsorted(changed, removed), 1)
        before, after = (np.maximum(goal - count, 0).sum() for count in (old, new))
        if len(set(into)) < len(into) or len(set(out)) < len(out) or after >= before:
            return False
        self.count[changed] = new
        self.free[into], self.free[out] = False, True
        np.subtract.at(self.left, self.codes[into], 1)
        np.add.at(self.left, self.codes[out], 1)
        for row in out:
            del self.turns[int(self.codes[row])][row]
        for row in into:
            self._add(row)
        return True

    def _add(self, row: int) -> None:
        """Record a row as chosen after all others."""
        self.turns.setdefault(int(self.codes[row]), {})[row] = self.steps
        self.steps += 1


def _back(
    came: dict[int, tuple[int, int, int]], label: int, into: list[int], out: list[int]
) -> tuple[list[int], list[int]]:
    """Follow a chain from the class `label` back to its first class. Return the rows to add and the rows to remove."""
    while label in came:
        label, row_in, row_out = came[label]
        into.append(row_in)
        out.append(row_out)
    return into, out
