"""What makes cells differ that ought to differ by their images alone: versions, machines, steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from detreduce.experiment.ledger.ledger import FinishedCell
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, FULL

DECISIVE = ("ultralytics", "torch", "detreduce", "pycocotools")
"""Packages that can change a figure; a cell's key does not hold their versions."""


def inconsistencies(cells: Iterable[FinishedCell]) -> list[str]:
    """Sentences on what the compared cells do not share; empty where they differ as they should."""
    listed = list(cells)
    return [*_versions(listed), *_devices(listed), *_steps(listed)]


def _versions(cells: Sequence[FinishedCell]) -> list[str]:
    found = []
    for name in DECISIVE:
        versions = sorted({cell.training.versions.get(name, "") for cell in cells} - {""})
        if len(versions) > 1:
            found.append(
                f"The cells were run with {name} {', '.join(versions)}: differences may be of the versions. "
                "`detreduce ledger forget` removes the old ones, and the next run trains them anew."
            )
    return found


def _devices(cells: Sequence[FinishedCell]) -> list[str]:
    devices = sorted({cell.training.device for cell in cells})
    return [f"The cells ran on {', '.join(devices)}: energy and time are not comparable."] if len(devices) > 1 else []


def _steps(cells: Sequence[FinishedCell]) -> list[str]:
    """Reduced cells and the control of as many iterations have as many batches and steps, or it is no control."""
    counted: dict[tuple[str, int], dict[str, set[tuple[int, int]]]] = {}
    for cell in cells:
        if cell.cell["control"] == FULL:
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
        f"At keep {', '.join(unequal)} not all reduced cells took as many batches and optimiser steps as "
        f"{EQUAL_ITERATIONS} (images that could not be trained on?): it is no exact control there."
    ]
