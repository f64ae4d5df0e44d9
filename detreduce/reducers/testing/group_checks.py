"""Checks of `groups` and `max_per_group` in the conformance suite."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detreduce.reducers.engine.pool import IntArray
from detreduce.reducers.testing.subject import Subject, assert_valid, refused, sample

GROUPS = 12


def check_max_per_group(subject: Subject) -> None:
    """The number of images is exact, and no group exceeds the limit. If this is impossible, InputError is raised."""
    X, y = sample()
    groups = _groups(len(X))
    for most in (1, 2, 4):
        possible = int(np.minimum(np.bincount(groups), most).sum())
        full = subject.fit(X, y, keep=possible, groups=groups, max_per_group=most)
        for keep in (1, 5, possible // 2, possible):
            reducer = subject.fit(X, y, keep=keep, groups=groups, max_per_group=most)
            assert_valid(reducer, len(X), keep)
            assert np.bincount(groups[reducer.selected_idx_]).max() <= most, f"more than {most} of a group"
            if subject.cls.nested:
                np.testing.assert_array_equal(reducer.selected_idx_, full.ranking_[:keep], "not a prefix within groups")
        refused("max_per_group", subject, X, y, keep=possible + 1, groups=groups, max_per_group=most)


def check_max_per_group_rows_permuted(subject: Subject) -> None:
    """With `max_per_group`, the order of the rows does not matter. A limit that is never reached changes nothing."""
    X, y = sample()
    groups = _groups(len(X))
    order = np.random.default_rng(5).permutation(len(X))
    if subject.cls.deterministic and not subject.cls.order_dependent:
        plain = subject.fit(X, y, keep=20, groups=groups, max_per_group=2)
        permuted = subject.fit(X[order], y[order], keep=20, groups=groups[order], max_per_group=2)
        assert plain.selected_idx_.tolist() == order[permuted.selected_idx_].tolist(), "permuted rows give other images"
    free = subject.fit(X, y, keep=20, groups=groups if _uses_groups(subject) else None)
    loose = subject.fit(X, y, keep=20, groups=groups, max_per_group=len(X))
    np.testing.assert_array_equal(
        free.selected_idx_, loose.selected_idx_, "a limit that is never reached changes the choice"
    )


def check_max_per_group_initial(subject: Subject) -> None:
    """The rows in `initial` count towards the limit of their group. Invalid groups and limits raise InputError."""
    X, y = sample()
    groups = np.array(["a", "b", "c", "d", "e"])[np.arange(len(X)) % 5]
    initial = [40, 3, 17, 5]
    reducer = subject.fit(X, y, keep=10, groups=groups, max_per_group=2, initial=initial)
    assert_valid(reducer, len(X), 10)
    assert reducer.selected_idx_[:4].tolist() == initial
    assert np.unique(groups[reducer.selected_idx_], return_counts=True)[1].tolist() == [2] * 5
    refused("'a'", subject, X, y, keep=10, groups=groups, max_per_group=1, initial=[0, 5])
    for most in (0, -1, 1.5, True, "2"):
        refused("max_per_group", subject, X, y, groups=groups, max_per_group=most)
    for bad in (groups[:-1], [None, *groups[1:]], 3):
        refused("groups", subject, X, y, groups=bad, max_per_group=2)
    if "groups" not in subject.given(X, y):
        refused("groups", subject, X, y, max_per_group=2)
    if not _uses_groups(subject):
        refused("groups", subject, X, y, groups=groups)


def _groups(n: int) -> IntArray:
    """Return (n,) a random group number for each row."""
    return np.random.default_rng(7).integers(GROUPS, size=n)


def _uses_groups(subject: Subject) -> bool:
    """Return whether the method uses groups even without a limit on the number of images from one group."""
    return "groups" in (*subject.cls.needs, *subject.cls.uses)


GROUP_CHECKS: tuple[Callable[[Subject], None], ...] = (
    check_max_per_group,
    check_max_per_group_rows_permuted,
    check_max_per_group_initial,
)
