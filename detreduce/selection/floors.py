"""Find a small set of images that brings each class to its floor, within a limit for each group.

The floor of a class is the minimum number of kept images that have a box of this class.
"""

from __future__ import annotations

import heapq
from collections import deque

import numpy as np
import numpy.typing as npt

from detreduce.reducers.engine.groups import Groups

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


def floor_rows(
    present: BoolArray,
    floors: IntArray,
    held: IntArray,
    draw: npt.NDArray[np.uint64],
    groups: Groups | None = None,
) -> IntArray:
    """Return a small set of rows that brings every class to its floor.

    A greedy search always adds the row that helps the most classes. Without a limit on groups, every class reaches its
    floor, unless it has too few rows. Then all of its rows are chosen. With a limit, the greedy search may fill a group
    with rows of one class, although another class needs rows of this group. Afterwards, rows are swapped within full
    groups to correct this. If every row has one class, the number of missing rows is then the smallest possible. If
    rows have several classes, the result is not always the best, because the problem (set cover) is NP-hard. The number
    of chosen rows may be larger than necessary.

    Parameters
    ----------
    present
        (n, C): whether each row has each class.
    floors
        (C,): minimum number of rows of each class. If a class has fewer rows, all of them are chosen.
    held
        Rows that are kept already. They count towards the floors.
    draw
        (n,): random numbers that break ties. The row with the lowest number comes first.
    groups
        Groups with a limit. A group never gets more rows than the limit, even if a class then stays below its floor.
    """
    reachable = present.sum(axis=0) if groups is None else groups.reachable(present, held)
    goal = np.minimum(floors, reachable)
    chosen = _greedy(present, goal, held, draw, groups)
    if groups is not None:
        chosen = _Exchange(present, goal, held, draw, groups, chosen).improved()
    return np.array(chosen, np.int64)


def _greedy(
    present: BoolArray, goal: IntArray, held: IntArray, draw: npt.NDArray[np.uint64], groups: Groups | None
) -> list[int]:
    """Return the rows to add. Each step adds the row that helps the most classes below their goal."""
    missing = goal - present[held].sum(axis=0)
    left = None if groups is None else groups.remaining(held)
    gain = present[:, missing > 0].sum(axis=1)
    gain[held] = 0
    helpful = np.flatnonzero(gain)
    # gains only decrease. If the gain at the top of the heap is current, its row is the best.
    heap = list(zip((-gain[helpful]).tolist(), draw[helpful].tolist(), helpful.tolist(), strict=True))
    heapq.heapify(heap)
    classes = [np.flatnonzero(row) for row in present[helpful]]
    place = dict(zip(helpful.tolist(), classes, strict=True))
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


class _Exchange:
    """Swap rows within groups, so that more classes reach their goal.

    A swap adds a row of a class below its goal, and removes another row of the same full group. If another class falls
    below its goal because of this, the next swap adds a row of that class. Such a chain of swaps is an augmenting path.
    """

    def __init__(
        self,
        present: BoolArray,
        goal: IntArray,
        held: IntArray,
        draw: npt.NDArray[np.uint64],
        groups: Groups,
        chosen: list[int],
    ) -> None:
        self.present, self.goal, self.codes, self.chosen = present, goal, groups.codes, chosen
        taken = np.concatenate([held, np.array(chosen, np.int64)])
        self.free = np.ones(len(present), bool)
        self.free[taken] = False
        self.left = groups.remaining(taken)
        self.count = present[taken].sum(axis=0)
        # the best rows are last, because an assignment by index keeps the last row of each group
        self.order = np.lexsort((draw, -present[:, goal > 0].sum(axis=1)))[::-1]

    def improved(self) -> list[int]:
        """Make all swaps that bring a class nearer to its goal, and return the chosen rows."""
        closed: set[int] = set()
        while short := [c for c in np.flatnonzero(self.count < self.goal).tolist() if c not in closed]:
            into, out, seen = self._chain(short[0], closed)
            if not (into and self._apply(into, out)):
                # no chain that starts at one of these classes can succeed
                closed |= {short[0]} if into else seen
        return self.chosen

    def _chain(self, start: int, closed: set[int]) -> tuple[list[int], list[int], set[int]]:
        """Find the shortest chain of swaps that adds one row of the class `start`.

        The chain does not visit the classes in `closed`. Return the rows to add, the rows to remove, and the visited
        classes. If there is no chain, both lists are empty.
        """
        came: dict[int, tuple[int, int, int]] = {}
        seen, queue = {start}, deque([start])
        while queue:
            label = queue.popleft()
            rows = self.order[self.present[self.order, label] & self.free[self.order]]
            open_rows = rows[self.left[self.codes[rows]] > 0]
            if len(open_rows):
                return *_back(came, label, [int(open_rows[-1])], []), seen
            best = np.full(len(self.left), -1)
            best[self.codes[rows]] = rows
            removable = np.array(self.chosen, np.int64)
            removable = removable[(best[self.codes[removable]] >= 0) & ~self.present[removable, label]]
            instead = best[self.codes[removable]]
            lost = self.present[removable] & (self.count <= self.goal) & ~self.present[instead]
            losses = lost.sum(axis=1)
            if len(removable) and losses.min() == 0:
                place = int(losses.argmin())
                return *_back(came, label, [int(instead[place])], [int(removable[place])]), seen
            for place in np.flatnonzero(losses == 1).tolist():
                other = int(lost[place].argmax())
                if other not in seen and other not in closed:
                    seen.add(other)
                    queue.append(other)
                    came[other] = (label, int(instead[place]), int(removable[place]))
        return [], [], seen

    def _apply(self, into: list[int], out: list[int]) -> bool:
        """Make the swaps of a chain and return True.

        Return False and do not swap if a row occurs twice in the chain, or if the chain does not reduce the number of
        missing rows.
        """
        count = self.count + self.present[into].sum(axis=0) - self.present[out].sum(axis=0)
        before, after = (np.maximum(self.goal - held, 0).sum() for held in (self.count, count))
        if len(set(into)) < len(into) or len(set(out)) < len(out) or after >= before:
            return False
        self.count = count
        self.free[into], self.free[out] = False, True
        np.subtract.at(self.left, self.codes[into], 1)
        np.add.at(self.left, self.codes[out], 1)
        self.chosen = [row for row in self.chosen if row not in out] + into
        return True


def _back(
    came: dict[int, tuple[int, int, int]], label: int, into: list[int], out: list[int]
) -> tuple[list[int], list[int]]:
    """Follow a chain from its last class back to the first. Return the rows to add and the rows to remove."""
    while label in came:
        label, row_in, row_out = came[label]
        into.append(row_in)
        out.append(row_out)
    return into, out
