"""The search of the method ProtoDash. It finds rows whose weighted mean of kernel values is close to a given mean.

The search chooses a block of rows, and then checks whether each choice was right.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detreduce.machine.parallel import in_threads, slices
from detreduce.reducers.engine.distances.kernels import Kernel
from detreduce.reducers.engine.ordering import best
from detreduce.reducers.engine.pool import FloatArray, IntArray
from detreduce.reducers.engine.search.nnls import GrowingFit

CHUNK = 2048
SCREENED = 1e-7
"""Relative error of a gradient in float32. If gradients differ by less than this, they are computed again in
float64.
"""
WIDE_BYTES = 2 * 2**30
"""If the kernel columns would take more bytes than this in float32, they are stored in 16 bits."""
MANY = 50_000_000
"""Threads are used if there are at least this number of kernel values. For fewer, starting threads takes too long."""
LEVELS = 65535
"""The largest integer that is used to store a kernel column in 16 bits."""
SPREADS = 6.0
"""Assumed error of a gradient, in standard deviations of the error of rounding to 16 bits."""


@dataclass
class Prototypes:
    """The result of `protodash`, for n rows.

    Attributes
    ----------
    order
        (k,) the chosen rows, in the order in which they were chosen.
    gradients
        (k,) the gradient of each chosen row at the step in which it was chosen.
    objectives
        (k,) the objective w.mu - w'Kw/2 after each choice (see `detreduce.reducers.engine.search.nnls`).
    weights
        (m + k,) the final weights: first of the m initial rows, then of the rows in `order`.
    gradient
        (n,) the gradient of every row after the last choice.
    """

    order: IntArray
    gradients: FloatArray
    objectives: FloatArray
    weights: FloatArray
    gradient: FloatArray


@dataclass
class _Search:
    """A greedy search that chooses rows (picks) in blocks, and then checks each block against all rows.

    The few hundred rows with the largest gradients are the "hot" rows. The picks of a block are made among the hot
    rows. Only the kernel values between the hot rows and the members (all chosen rows) are needed for this.

    Then one matrix product gives the gradients of all rows after each pick. If another row has a larger gradient than a
    pick, that pick and the later picks are undone. Therefore the result is the same as without blocks. Without blocks,
    every pick would read all kernel columns.

    Attributes
    ----------
    kernel
        The kernel between rows.
    mu
        (n,) the mean kernel value of each row with all rows.
    capacity
        The largest number of members.
    priority
        (n,) numbers that break ties. The row with the lowest number wins.
    fit
        The weights of the members.
    members
        All chosen rows, in order.
    fitted
        The members that are in `fit`. A member that depends linearly on earlier members is not in `fit`.
    """

    kernel: Kernel
    mu: FloatArray
    capacity: int
    priority: IntArray
    fit: GrowingFit = field(init=False)
    members: list[int] = field(default_factory=list)
    fitted: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        n = len(self.mu)
        self.fit = GrowingFit(self.capacity)
        self.dtype: type[np.floating] = np.float32 if n > CHUNK else np.float64
        self.narrow = self.kernel.sigma is not None and 4 * self.capacity * n > WIDE_BYTES
        self.columns = np.empty((self.capacity, n), np.uint16 if self.narrow else self.dtype)
        # if a column is stored in 16 bits, each entry is the number of steps above the smallest value of the column
        self.least, self.step = np.zeros(self.capacity), np.ones(self.capacity)
        self.stored = 0
        self.gradient = self.mu.copy()
        self.taken = np.zeros(n, bool)
        self.diagonal = self.kernel.diagonal
        size = int(np.clip(n // 16, 256, 2048))
        self.hot = np.full(min(size, n), -1)
        self.hot_kernel = np.empty((self.capacity, len(self.hot)))
        self.block = 16
        self.gradients: list[float] = []
        self.objectives: list[float] = []

    def start_from(self, initial: IntArray) -> None:
        """Add the rows that are already chosen as members."""
        for row in initial:
            self._join(int(row), self._kernel_with_members(int(row)))
        self.gradients.clear()
        self.objectives.clear()
        self._store()
        self._accept([self._weights()], [0.0], np.empty(0, np.int64))

    def advance(self, count: int) -> int:
        """Choose at most `count` more rows, and return how many were chosen."""
        hot = self._heat()
        before = len(self.members)
        snapshots = self._pick(hot, min(count, self.block, len(hot)))
        made = len(self.members) - before
        self._store()
        weights = [snapshot[0] for snapshot in snapshots]
        accepted = self._accept(weights, self.gradients[before - len(self.members) + len(self.gradients) :], hot)
        if accepted < made:
            self._undo(made - accepted, snapshots[accepted - 1])
            self.block = max(4, accepted)
        else:
            self.block = min(128, 2 * self.block)
        return accepted

    def _heat(self) -> IntArray:
        """Set `hot` to the rows with the largest gradients that are not chosen, and return them.

        Kernel values of rows that were already hot are not computed again.
        """
        size = min(len(self.hot), len(self.mu) - len(self.members))
        if size < len(self.hot):
            self.hot, self.hot_kernel = self.hot[:size], self.hot_kernel[:, :size]
        masked = np.where(self.taken, -np.inf, self.gradient)
        top = np.argpartition(masked, len(masked) - size)[len(masked) - size :]
        places = np.flatnonzero(~np.isin(self.hot, top))
        self.hot[places] = np.setdiff1d(top, self.hot)
        m = len(self.fitted)
        if m and len(places):
            self.hot_kernel[:m, places] = self.kernel.between(self.fitted, self.hot[places])
        return self.hot

    def _pick(self, hot: IntArray, count: int) -> list[tuple[FloatArray, IntArray, int]]:
        """Choose `count` rows among `hot`. Return the state of the fit after each choice.

        A state consists of the weights, the members with weight 0, and the number of members in the fit.
        """
        m = len(self.fitted)
        kernel, with_hot = self.hot_kernel, self.kernel.among(hot)
        priority, mu = self.priority[hot], self.mu[hot]
        # compute the gradients again in float64, because the last block computed them in float32
        gradient = mu - self.fit.weights @ kernel[:m] if m else mu.copy()
        gradient[self.taken[hot]] = -np.inf
        snapshots = []
        for _ in range(count):
            position = best(gradient, priority)
            self.gradients.append(float(gradient[position]))
            size = len(self.fitted)
            if self._join(int(hot[position]), np.ascontiguousarray(kernel[:size, position])):
                kernel[size] = with_hot(position)
            size = len(self.fitted)
            np.subtract(mu, self.fit.weights @ kernel[:size], out=gradient)
            gradient[self.taken[hot]] = -np.inf
            snapshots.append((self.fit.weights.copy(), self.fit.zero, size))
        return snapshots

    def _join(self, row: int, kernel: FloatArray) -> bool:
        """Add a row to the members. Return whether the row was also added to the fit.

        `kernel` contains the kernel values between the row and the fitted members.
        """
        self.members.append(row)
        self.taken[row] = True
        joined = self.fit.add(kernel, float(self.diagonal[row]), float(self.mu[row]))
        if joined:
            self.fitted.append(row)
        self.objectives.append(self.fit.objective)
        return joined

    def _kernel_with_members(self, row: int) -> FloatArray:
        """Return the (m,) float64 kernel values between a row and the fitted members."""
        if not self.fitted:
            return np.empty(0)
        return np.asarray(self.kernel.between(self.fitted, [row])[:, 0], np.float64)

    def _weights(self) -> FloatArray:
        return self.fit.weights.copy()

    def _store(self) -> None:
        """Compute and store the kernel columns of the new members."""
        new = self.fitted[self.stored :]
        place = slice(self.stored, len(self.fitted))
        exact = self.dtype == np.float64
        parts = [slice(start, start + 8 * CHUNK) for start in range(0, len(self.mu) if new else 0, 8 * CHUNK)]
        if not self.narrow:
            for part in parts:
                self.columns[place, part] = self.kernel.between(new, part, exact=exact)
        elif parts:
            values = np.hstack([self.kernel.between(new, part, exact=exact) for part in parts])
            # the kernel value of a member with itself is far above all others and is never needed, so replace it
            values[np.arange(len(new)), new] = values.min(axis=1)
            least = values.min(axis=1)
            step = np.maximum((values.max(axis=1) - least) / LEVELS, 1e-12)
            self.least[place], self.step[place] = least, step
            values -= least[:, None]
            values /= step[:, None]
            self.columns[place] = np.rint(values, out=values)
        self.stored = len(self.fitted)

    def _accept(self, weights: list[FloatArray], gradients: list[float], hot: IntArray) -> int:
        """Check the picks of a block against all rows, and return how many picks are confirmed.

        `gradient` becomes the gradients of all rows after the confirmed picks.
        """
        W = np.zeros((len(weights), len(self.fitted)), self.dtype)
        for row, snapshot in zip(W, weights, strict=True):
            row[: len(snapshot)] = snapshot
        slack = SCREENED * self._largest() if self.dtype == np.float32 else 1e-13
        mu = self.mu
        base = np.zeros((len(weights), 1))
        if self.narrow:
            m = len(self.fitted)
            base = (W @ self.least[:m])[:, None]
            W *= self.step[:m]
            slack += SPREADS * float(np.linalg.norm(W, axis=1).max()) / np.sqrt(12.0)
        n, picks = len(self.mu), len(weights)
        outside = ~self.taken
        outside[hot] = False
        # pick t + 1 must have a larger gradient than every row that is not hot
        bars = np.append(gradients[1:], np.inf)
        after = np.empty((picks, n), W.dtype)
        columns = self.columns[: len(self.fitted)]

        def work(part: slice) -> None:
            """Compute the gradient of some of the columns."""
            after[:, part] = (mu[part] - base) - W @ columns[:, part].astype(self.dtype, copy=False)

        parts = slices(n, CHUNK)
        deque(in_threads(work, parts) if columns.size > MANY else map(work, parts), maxlen=0)
        doubtful = (after[:-1] > (bars[:-1] - slack)[:, None]) & outside
        valid = self._valid_picks(weights, doubtful, bars)
        self.gradient = after[valid - 1].astype(np.float64)
        return valid

    def _largest(self) -> float:
        """Return a bound for rounding errors: the largest magnitude of a kernel value.

        For a Gaussian kernel, the bound also covers the exponents.
        """
        if self.kernel.sigma is None:
            return 5.0 * max(1.0, float(self.diagonal.max()))
        return 1.0 + float(self.kernel.squares.max()) / self.kernel.sigma**2

    def _valid_picks(self, weights: list[FloatArray], doubtful: npt.NDArray[np.bool_], bars: FloatArray) -> int:
        """Return the number of picks before the first wrong pick.

        A pick is wrong if a row that is not hot has a larger gradient than the pick, computed in float64.
        """
        valid = len(weights)
        rows = np.flatnonzero(doubtful.any(axis=0))
        for start in range(0, len(rows), CHUNK):
            block = rows[start : start + CHUNK]
            W = np.zeros((valid - 1, len(self.fitted)))
            for row, snapshot in zip(W, weights, strict=False):
                row[: len(snapshot)] = snapshot
            exact = self.mu[block] - W @ self.kernel.between(self.fitted, block)
            wrong = ((exact > bars[: len(W), None]) & doubtful[: len(W), block]).any(axis=1)
            if wrong.any():
                valid = int(wrong.argmax()) + 1
        return valid

    def _undo(self, count: int, snapshot: tuple[FloatArray, IntArray, int]) -> None:
        """Undo the last `count` picks, and restore the fit to the state `snapshot`."""
        for row in self.members[len(self.members) - count :]:
            self.taken[row] = False
        del self.members[len(self.members) - count :]
        del self.gradients[len(self.gradients) - count :]
        del self.objectives[len(self.objectives) - count :]
        _, zero, size = snapshot
        del self.fitted[size:]
        self.stored = size
        self.fit.truncate(size, zero)


def protodash(
    kernel: Kernel,
    mu: FloatArray,
    initial: IntArray,
    count: int,
    priority: IntArray,
    advance: Callable[[int], object] = lambda _: None,
) -> Prototypes:
    """Choose `count` rows one by one, each time the row i with the largest gradient mu_i - (K_S w)_i.

    Here S is the set of chosen rows, and K_S contains their kernel columns. w contains the best non-negative weights of
    the chosen rows. The weights are fitted again after each choice.

    Parameters
    ----------
    kernel
        The kernel between the n rows.
    mu
        (n,) the mean kernel value of each row with all rows.
    initial
        Rows that are already chosen. These rows also get weights, but they are not part of `order` in the result.
    count
        Number of rows to choose.
    priority
        (n,) numbers that break ties. The row with the lowest number wins.
    advance
        A function that is called with the number of rows that were just chosen.
    """
    search = _Search(kernel, mu, len(initial) + count, priority)
    if len(initial):
        search.start_from(initial)
    done = 0
    while done < count:
        made = search.advance(count - done)
        done += made
        advance(made)
        search.fit.refresh()
    weights = dict(zip(search.fitted, search.fit.weights, strict=True))
    return Prototypes(
        np.array(search.members[len(initial) :], np.int64),
        np.array(search.gradients),
        np.array(search.objectives),
        np.array([weights.get(row, 0.0) for row in search.members]),
        search.gradient,
    )
