"""Warnings about cells that should differ only in their images: versions, machines, steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from detreduce.experiment.ledger.ledger import FinishedCell
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, FULL

DECISIVE = ("ultralytics", "torch", "detreduce", "pycocotools")
"""Packages that can change a figure; a cell's key does not include their versions."""


def inconsistencies(cells: Iterable[FinishedCell]) -> list[str]:
    """Return warnings about differences between the cells besides their images; empty if there are none."""
    listed = list(cells)
    return [*_check_versions(listed), *_check_devices(listed), *_check_steps(listed)]


def _check_versions(cells: Sequence[FinishedCell]) -> list[str]:
    found = []
    for name in DECISIVE:
        versions = sorted({cell.training.versions.get(name, "") for cell in cells} - {""})
        if len(versions) > 1:
            found.append(
                f"The cells were run with {name} {', '.join(versions)}: differences may come from the versions. "
                "`detreduce ledger forget` removes old cells; the next run trains them again."
            )
    return found


def _check_devices(cells: Sequence[FinishedCell]) -> list[str]:
    devices = sorted({cell.training.device for cell in cells})
    return [f"The cells ran on {', '.join(devices)}: energy and time are not comparable."] if len(devices) > 1 else []


def _check_steps(cells: Sequence[FinishedCell]) -> list[str]:
    """Warn where reduced cells and the equal-steps control differ in batches or steps."""
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
        f"At keep {', '.join(unequal)} some reduced cells differ from {EQUAL_ITERATIONS} in batches or optimiser "
        "steps, perhaps because of unreadable images. The equal-steps control is not exact there."
    ]
