"""Find methods that chose the same images.

Their results are equal because they trained on the same images, not because both methods are good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from detreduce.experiment.statistics.pairs import Group, Row
from detreduce.vocabulary.controls import ON_ALL_IMAGES, is_recipe, title_of
from detreduce.vocabulary.keeps import keep_key, keep_of

SAME_IMAGES = "the same images were chosen"


def share_images(groups: Sequence[Group]) -> bool:
    """Return whether the method and its reference were trained on the same images, for every seed."""
    ours, theirs = (_chosen(row for group in groups for row in group[side]) for side in (0, 1))
    return bool(groups) and ours == theirs and not any(images is None for _, images in ours)


def same_choices(rows: Iterable[Row]) -> list[tuple[float | int, tuple[str, ...]]]:
    """Return the methods that chose the same images with every seed, as pairs (keep, labels of two or more methods)."""
    chosen: dict[tuple[str, str], set[tuple[int, str | None]]] = {}
    keeps: dict[str, float | int] = {}
    for row in rows:
        if row["control"] not in ON_ALL_IMAGES and not is_recipe(row):
            keeps[keep_key(row["keep"])] = row["keep"]
            found = chosen.setdefault((keep_key(row["keep"]), row["label"]), set())
            found |= _chosen([row])
    groups: dict[tuple[str, frozenset[tuple[int, str | None]]], list[str]] = {}
    for (keep, label), found in sorted(chosen.items()):
        if not any(images is None for _, images in found):
            groups.setdefault((keep, frozenset(found)), []).append(label)
    return [(keeps[keep], tuple(labels)) for (keep, _), labels in groups.items() if len(labels) > 1]


def same_images_notes(rows: Iterable[Row]) -> list[str]:
    """Return one sentence for each group of methods that chose the same images."""
    notes = []
    for keep, labels in same_choices(rows):
        *others, last = [title_of(label) for label in labels]
        notes.append(
            f"{', '.join(others)} and {last} chose the same images at keep {keep_of(labels[0], keep)}: a difference "
            "between their results is chance."
        )
    return notes


def _chosen(rows: Iterable[Row]) -> set[tuple[int, str | None]]:
    """Return the pairs (training seed, hash of the chosen images) of these cells."""
    return {(row["training_seed"], row.get("selection_hash")) for row in rows}
