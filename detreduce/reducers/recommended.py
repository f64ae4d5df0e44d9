"""The recommended methods, in the order in which to try them. docs/results.md gives the reasons."""

from __future__ import annotations

RECOMMENDED = {
    "herding": "with boxes: recommended first; the only method that was better than random at 10 %, on one dataset",
    "csod": "with boxes: nearly as good as herding, and balanced by class",
    "class_coverage": "with labels but little time: the method reads only the labels, and takes seconds",
    "facility": "without boxes: the best method in our trials, but not shown to be better than random",
    "srs": "random images: the baseline that every other method must beat",
}
"""Method -> when to use it. The evidence is in docs/results.md."""
EVIDENCE = "docs/results.md"


def recommended_first(names: list[str]) -> list[str]:
    """Return the given names of methods with the recommended methods first."""
    return [name for name in RECOMMENDED if name in names] + [name for name in names if name not in RECOMMENDED]
