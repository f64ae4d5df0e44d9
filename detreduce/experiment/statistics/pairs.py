"""Find the cells to compare: the reference of each method, and groups of cells that share a seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from detreduce.vocabulary.controls import EQUAL_ITERATIONS, FULL, ON_ALL_IMAGES, RANDOM_METHODS, is_recipe
from detreduce.vocabulary.keeps import keep_key

Row = Mapping[str, Any]
Group = tuple[list[Row], list[Row]]
"""The rows of one group on the two sides of a comparison."""


def random_reference(rows: Iterable[Row]) -> str | None:
    """Return the label of the random subsets that methods are compared with, or None if there are no random subsets.

    ``srs`` without parameters is preferred, then ``srs`` with parameters, then the control ``random``.
    """
    labels = [
        (name, row["label"] != name, row["label"])
        for row in rows
        for name in RANDOM_METHODS
        if row["method"] == name and row["control"] not in ON_ALL_IMAGES and not is_recipe(row)
    ]
    return min(labels, key=lambda item: (RANDOM_METHODS.index(item[0]), *item[1:]))[2] if labels else None


def group_by_seed(ours: Sequence[Row], theirs: Sequence[Row]) -> list[Group]:
    """Match the cells of two methods by their training seeds, and put cells that depend on each other into one group.

    Cells with the same training seed are in one group. Training seeds that share a random selection are also in one
    group. For example, two training seeds with six selection seeds make two groups, and six training seeds with two
    selection seeds make two groups. A training seed that only one of the methods has is left out.
    """
    sides = []
    for rows in (ours, theirs):
        by_seed: dict[Any, list[Row]] = {}
        for row in rows:
            by_seed.setdefault(row["training_seed"], []).append(row)
        sides.append(by_seed)
    drawn = [_is_drawn(rows) for rows in (ours, theirs)]
    units: list[tuple[set[Any], list[Any]]] = []
    for seed in sorted(sides[0].keys() & sides[1].keys()):
        places = [place for place in (0, 1) if drawn[place]]
        selections = {(place, row.get("selection_seed")) for place in places for row in sides[place][seed]}
        joined = [unit for unit in units if unit[0] & selections]
        units = [unit for unit in units if unit not in joined]
        seeds = [*(member for _, members in joined for member in members), seed]
        units.append((selections.union(*(shared for shared, _ in joined)), seeds))
    return [
        ([row for seed in seeds for row in sides[0][seed]], [row for seed in seeds for row in sides[1][seed]])
        for _, seeds in units
    ]


def paired_differences(ours: Sequence[Row], theirs: Sequence[Row], measure: str) -> tuple[list[Group], list[float]]:
    """Return the groups of cells that have the measure, and the difference `ours` minus `theirs` in each group.

    The groups are formed by `group_by_seed`. If one side of a group has several cells, their mean is used.
    """
    groups = group_by_seed(*([row for row in side if row.get(measure) is not None] for side in (ours, theirs)))
    return groups, [_mean(own, measure) - _mean(other, measure) for own, other in groups]


def _mean(rows: Sequence[Row], measure: str) -> float:
    return math.fsum(float(row[measure]) for row in rows) / len(rows)


def _is_drawn(rows: Sequence[Row]) -> bool:
    """Return whether the selections of the cells depend on the selection seed.

    Some cells do not record whether their method is deterministic. For these, return True if they are random subsets or
    have different selection seeds.
    """
    deterministic = {row.get("selection_deterministic") for row in rows} - {None}
    if deterministic:
        return False in deterministic
    return (
        any(row.get("method") in RANDOM_METHODS for row in rows) or len({row.get("selection_seed") for row in rows}) > 1
    )


def sides_of(rows: Sequence[Row]) -> Iterator[tuple[list[Row], list[Row], str]]:
    """Yield every comparison of a method with random subsets, then with the equal-steps control, at the same keep.

    Each item has the rows of the method, the rows of the reference, and the name of the reference. Recipes are left
    out, because `claims_of` compares them.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["control"] not in ON_ALL_IMAGES and not is_recipe(row):
            groups.setdefault((row["label"], keep_key(row["keep"])), []).append(row)
    ordered = sorted(groups.items(), key=lambda item: (-item[1][0]["images"], item[0]))
    random = random_reference(rows)
    if random is not None:
        for (label, keep), group in ordered:
            if label != random and (random, keep) in groups:
                yield group, groups[random, keep], random
    for (_, keep), group in ordered:
        controls = [row for row in rows if row["control"] == EQUAL_ITERATIONS and keep_key(row["keep"]) == keep]
        if controls:
            yield group, controls, EQUAL_ITERATIONS


def sides_against_full(rows: Sequence[Row]) -> Iterator[tuple[list[Row], list[Row], str]]:
    """Yield every comparison with the control `full`.

    Each item has the rows of another method or control at one keep, the rows of `full`, and the name ``full``.
    """
    full = [row for row in rows if row["control"] == FULL]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows if full else ():
        if row["control"] != FULL:
            groups.setdefault((row["label"], keep_key(row["keep"])), []).append(row)
    for _, group in sorted(groups.items(), key=lambda item: (-item[1][0]["images"], item[0])):
        yield group, full, FULL
