"""A floor for every class: few images that bring each class to its floor, within the limit on groups."""

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
    """Return few rows that bring every class to its floor: always the row that helps the most classes.

    Without a limit on groups, every class reaches its floor, or all rows that have it. With a limit, a chosen row may
    fill a group that a class below its floor needs; such rows are exchanged along chains of swaps. If every row has one
    class, this meets as many floors as possible. If rows have several classes, it is a set cover, which is NP-hard: a
    floor that could just be met may be missed. The number of rows is not always the smallest.

    Parameters
    ----------
    present
        (n, C): which classes each row has.
    floors
        (C,) rows to hold of each class; all rows of a class with fewer.
    held
        Rows that are held already.
    draw
        (n,) breaks ties, lowest first.
    groups
        With a limit: no more rows of a group are held, even if a class then stays below its floor.
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
    missing = goal - present[held].sum(axis=0)
    left = None if groups is None else groups.remaining(held)
    gain = present[:, missing > 0].sum(axis=1)
    gain[held] = 0
    helpful = np.flatnonzero(gain)
    # gains only fall: if the top of the heap is up to date, it is the best row
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
    """Swaps rows within their groups, so that more classes reach their goal.

    A chain of swaps is an augmenting path. A row of a class below its goal comes in and pushes another row out of a
    full group. This takes at most one class below its goal, and the next swap of the chain repairs it.
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
        # best last: an assignment by index keeps the last row of a group
        self.order = np.lexsort((draw, -present[:, goal > 0].sum(axis=1)))[::-1]

    def improved(self) -> list[int]:
        """Return the chosen rows after all swaps that bring a class nearer to its goal."""
        closed: set[int] = set()
        while short := [c for c in np.flatnonzero(self.count < self.goal).tolist() if c not in closed]:
            into, out, seen = self._chain(short[0], closed)
            if not (into and self._apply(into, out)):
                # no chain leads out of these classes, wherever it starts
                closed |= {short[0]} if into else seen
        return self.chosen

    def _chain(self, start: int, closed: set[int]) -> tuple[list[int], list[int], set[int]]:
        """Return the shortest chain for one more row of a class: rows to take, rows to give up, classes seen."""
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
            mine = np.array(self.chosen, np.int64)
            mine = mine[(best[self.codes[mine]] >= 0) & ~self.present[mine, label]]
            instead = best[self.codes[mine]]
            lost = self.present[mine] & (self.count <= self.goal) & ~self.present[instead]
            losses = lost.sum(axis=1)
            if len(mine) and losses.min() == 0:
                place = int(losses.argmin())
                return *_back(came, label, [int(instead[place])], [int(mine[place])]), seen
            for place in np.flatnonzero(losses == 1).tolist():
                other = int(lost[place].argmax())
                if other not in seen and other not in closed:
                    seen.add(other)
                    queue.append(other)
                    came[other] = (label, int(instead[place]), int(mine[place]))
        return [], [], seen

    def _apply(self, into: list[int], out: list[int]) -> bool:
        """Make the swaps of a chain and return True, unless they meet in a row or class and gain nothing."""
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
    """Return the rows of a chain, from its last class back to the first."""
    while label in came:
        label, row_in, row_out = came[label]
        into.append(row_in)
        out.append(row_out)
    return into, out
