"""Non-negative least squares for a growing set of rows, the members.

The fit maximises w.mu - w'Kw/2 over weights w >= 0. Here w (m,) are the weights of the members, and K (m, m) is the
kernel matrix between the members. mu (m,) is the mean kernel value of each member with all rows. The weights are
updated whenever a member is added.
"""

from __future__ import annotations

import numpy as np

from detreduce.reducers.engine.pool import FloatArray, IntArray

DEPENDENT = 1e-10
"""A row counts as linearly dependent on the members if its residual after projection is below this fraction of its
norm.
"""
ROUNDING = 1e-12
"""Weights and gradients below this count as 0."""


class GrowingFit:
    """The optimal weights of members that are added one at a time (see the docstring of this module).

    The kernel matrix K = U'U is stored as its packed Cholesky factor U. Each new member adds a column to U. A row that
    depends linearly on the members is not added.

    Let Z be the set of members with weight 0. Their columns stay in U. The weights are w = K^-1 (mu - g). The
    multipliers g are 0 for all members outside Z. The condition that all weights in Z are 0 is a small linear system
    for g. The matrix of this system consists of rows of Y. Y contains the columns of K^-1 that belong to Z, and gets a
    new row whenever U grows.

    Block principal pivoting (Portugal, Judice and Vicente 1994) finds Z. The search starts from the Z of the previous
    fit.
    """

    def __init__(self, capacity: int) -> None:
        from scipy.linalg.blas import dtpsv

        self._solve_packed = dtpsv
        self._packed = np.empty(capacity * (capacity + 1) // 2)
        self._mu = np.empty(capacity)
        self._free = np.empty(capacity)
        self.size = 0
        self._zero = np.empty(0, np.int64)
        self._columns = np.empty((0, 0))
        self.weights = np.empty(0)

    def add(self, kernel: FloatArray, own: float, mu: float) -> bool:
        """Add a member, update `weights`, and return True.

        If the new member depends linearly on the other members, change nothing and return False.

        Parameters
        ----------
        kernel
            (m,) kernel values between the new member and the other members.
        own
            Kernel value of the new member with itself.
        mu
            Mean kernel value of the new member.
        """
        m = self.size
        column = self._backward(kernel, m) if m else np.empty(0)
        rest = own - column @ column
        if rest <= DEPENDENT * max(own, 1e-300):
            return False
        u = self._forward(column, m) if m else column
        step = (mu - kernel @ self._free[:m]) / rest
        self._free[:m] -= step * u
        self._free[m] = step
        self._mu[m] = mu
        start = m * (m + 1) // 2
        self._packed[start : start + m] = column
        self._packed[start + m] = np.sqrt(rest)
        if len(self._zero):
            share = u[self._zero] / rest
            self._columns = np.vstack([self._columns + u[:, None] * share, -share])
        else:
            self._columns = np.empty((m + 1, 0))
        self.size = m + 1
        self._pivot()
        return True

    def truncate(self, size: int, zero: IntArray) -> None:
        """Remove all members after the first `size` members, and fit the weights again.

        `zero` contains the members that probably have weight 0. The search for Z starts from this guess.
        """
        self.size = size
        self._free[:size] = self._inverse_times(self._mu[:size]) if size else 0.0
        self._zero = np.empty(0, np.int64)
        self._columns = np.empty((size, 0))
        self._set_zero(zero)
        self._pivot()

    def refresh(self) -> None:
        """Compute the weights from scratch, which removes the rounding errors of earlier updates."""
        self.truncate(self.size, self._zero)

    @property
    def zero(self) -> IntArray:
        """The members with weight 0."""
        return self._zero.copy()

    @property
    def objective(self) -> float:
        """The value of the objective w.mu - w'Kw/2 (see the docstring of this module). At the optimum, it equals
        w.mu/2.
        """
        return float(0.5 * self.weights @ self._mu[: self.size])

    def _backward(self, b: FloatArray, m: int) -> FloatArray:
        """Solve U'x = b for the first `m` members."""
        return self._solve_packed(m, self._packed[: m * (m + 1) // 2], b, trans=1)

    def _forward(self, b: FloatArray, m: int) -> FloatArray:
        """Solve Ux = b for the first `m` members."""
        return self._solve_packed(m, self._packed[: m * (m + 1) // 2], b, trans=0)

    def _inverse_times(self, b: FloatArray) -> FloatArray:
        """Return K^-1 b."""
        return self._forward(self._backward(b, self.size), self.size)

    def _set_zero(self, zero: IntArray) -> None:
        """Set Z (the members with weight 0) to `zero`.

        The columns of Y are computed only for members that were not in Z before.
        """
        place = {int(member): index for index, member in enumerate(self._zero)}
        columns = []
        for member in zero:
            if int(member) in place:
                columns.append(self._columns[:, place[int(member)]])
            else:
                unit = np.zeros(self.size)
                unit[member] = 1.0
                columns.append(self._inverse_times(unit))
        self._zero = np.asarray(zero, np.int64)
        self._columns = np.column_stack(columns) if columns else np.empty((self.size, 0))

    def _pivot(self) -> None:
        """Move members into and out of Z (the members with weight 0) until the weights are optimal.

        Then all weights are >= 0, and the gradients of all members in Z are <= 0.
        """
        fewest, patience = self.size + 1, 3
        while True:
            gradient, weights = self._stationary()
            wrong_weights = np.flatnonzero(weights < -ROUNDING)
            wrong_gradients = self._zero[gradient > ROUNDING]
            wrong = len(wrong_weights) + len(wrong_gradients)
            if not wrong or patience < -10 * self.size:
                break
            change = np.concatenate([wrong_weights, wrong_gradients])
            if wrong < fewest:
                fewest, patience = wrong, 3
            elif patience > 0:
                patience -= 1
            else:
                # if only the last wrong member is moved, the search always ends
                patience -= 1
                change = change[[change.argmax()]]
            self._set_zero(np.setxor1d(self._zero, change))
        self.weights = weights.clip(0.0)

    def _stationary(self) -> tuple[FloatArray, FloatArray]:
        """Return the gradients of the members in Z, and the weights of all members.

        The weights of the members in Z are fixed at 0.
        """
        weights = self._free[: self.size].copy()
        if not len(self._zero):
            return np.empty(0), weights
        gradient = np.asarray(np.linalg.solve(self._columns[self._zero], weights[self._zero]), np.float64)
        weights -= self._columns @ gradient
        weights[self._zero] = 0.0
        return gradient, weights
