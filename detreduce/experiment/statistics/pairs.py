"""Which cells are compared with which: references, and pairs by seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

FULL, EQUAL_ITERATIONS = "full", "full_equal_iterations"
# controls on all images: there is no keep at which they could be compared
ON_ALL_IMAGES = (FULL, EQUAL_ITERATIONS)

Row = Mapping[str, Any]
Pair = tuple[list[Row], list[Row]]


def random_reference(rows: Iterable[Row]) -> str | None:
    """The label of the rows that stand for chance: srs as it is, else srs with parameters, else a uniform draw."""
    labels = [
        (name, row["label"] != name, row["label"])
        for row in rows
        for name in ("srs", "random")
        if row["method"] == name and row["control"] not in ON_ALL_IMAGES
    ]
    return min(labels, key=lambda item: (item[0] != "srs", *item[1:]))[2] if labels else None


def pair_by_seed(ours: Sequence[Row], theirs: Sequence[Row]) -> list[Pair]:
    """Pair the cells of two methods that share a training seed; of several for one seed see `Comparison`."""
    sides = []
    for rows in (ours, theirs):
        by_seed: dict[Any, list[Row]] = {}
        for row in rows:
            by_seed.setdefault(row["training_seed"], []).append(row)
        sides.append(by_seed)
    pairs = []
    for seed in sorted(sides[0].keys() & sides[1].keys()):
        cells = sides[0][seed], sides[1][seed]
        chosen = [{row.get("selection_seed"): row for row in side} for side in cells]
        if chosen[0].keys() == chosen[1].keys() and len(chosen[0]) == len(cells[0]) == len(cells[1]):
            pairs += [([chosen[0][key]], [chosen[1][key]]) for key in chosen[0]]
        else:
            pairs.append(cells)
    return pairs


def sides_of(rows: Sequence[Row]) -> Iterator[tuple[list[Row], list[Row], str]]:
    """Yield the rows of a method at a keep, those of a reference there, and the reference's name."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["control"] not in ON_ALL_IMAGES:
            groups.setdefault((row["label"], keep_key(row["keep"])), []).append(row)
    ordered = sorted(groups.items(), key=lambda item: (-item[1][0]["images"], item[0]))
    chance = random_reference(rows)
    if chance is not None:
        for (label, keep), group in ordered:
            if label != chance and (chance, keep) in groups:
                yield group, groups[chance, keep], chance
    for (_, keep), group in ordered:
        controls = [row for row in rows if row["control"] == EQUAL_ITERATIONS and keep_key(row["keep"]) == keep]
        if controls:
            yield group, controls, EQUAL_ITERATIONS


def beside_full(rows: Sequence[Row]) -> Iterator[tuple[list[Row], list[Row], str]]:
    """Yield the rows of everything else at a keep, those of all images, and their name."""
    full = [row for row in rows if row["control"] == FULL]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows if full else ():
        if row["control"] != FULL:
            groups.setdefault((row["label"], keep_key(row["keep"])), []).append(row)
    for _, group in sorted(groups.items(), key=lambda item: (-item[1][0]["images"], item[0])):
        yield group, full, FULL


def keep_key(keep: float | int) -> str:
    """A count of 1 and a fraction of 1.0 are equal numbers, but not the same keep."""
    return f"{type(keep).__name__}{keep}"
