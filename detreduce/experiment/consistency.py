"""Warn if cells that should differ only in their images also differ in versions, devices or steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, FULL, is_recipe

DECISIVE = ("ultralytics", "torch", "detreduce", "pycocotools")
"""Packages whose version can change the result of a cell, although the key of a cell does not include it."""


def inconsistencies(cells: Iterable[FinishedCell]) -> list[str]:
    """Return warnings about unintended differences between cells: package versions, devices and training steps."""
    listed = list(cells)
    return [*_check_versions(listed), *_check_devices(listed), *_check_steps(listed)]


def _check_versions(cells: Sequence[FinishedCell]) -> list[str]:
    """Return a warning for each package that the cells used in different versions."""
    found = []
    for name in DECISIVE:
        versions = sorted({cell.training.versions.get(name, "") for cell in cells} - {""})
        if len(versions) > 1:
            found.append(
                f"The cells were run with {name} {', '.join(versions)}, so differences may come from these versions. "
                "Remove old cells with `detreduce ledger forget`; the next run trains them again."
            )
    return found


def _check_devices(cells: Sequence[FinishedCell]) -> list[str]:
    """Return a warning if the cells ran on different devices."""
    devices = sorted({cell.training.device for cell in cells})
    if len(devices) < 2:
        return []
    return [f"The cells ran on {', '.join(devices)}, so energy and time are not comparable."]


def _check_steps(cells: Sequence[FinishedCell]) -> list[str]:
    """Return a warning if reduced cells and their equal-steps control differ in batches or optimiser steps."""
    counted: dict[tuple[str, int], dict[str, set[tuple[int, int]]]] = {}
    for cell in cells:
        # a recipe may change the number of steps on purpose
        if cell.cell["control"] == FULL or is_recipe(cell.cell):
            continue
        side = "control" if cell.cell["control"] == EQUAL_ITERATIONS else "reduced"
        counts = cell.training.counts
        key = repr(cell.cell["keep"]), int(cell.cell["training_seed"])
        counted.setdefault(key, {}).setdefault(side, set()).add((counts.batches, counts.optimiser_steps))
    unequal = sorted(
        {keep for (keep, _), sides in counted.items() if len(sides) == 2 and sides["control"] != sides["reduced"]}
    )
    if not unequal:
        return []
    return [
        f"At keep {', '.join(unequal)}, some reduced cells differ from {EQUAL_ITERATIONS} in batches or optimiser "
        "steps, perhaps because of unreadable images. The equal-steps control is not exact at these keeps."
    ]
