"""Find the image of the dataset to which a file in the run folder belongs."""

from __future__ import annotations

from pathlib import Path

from detreduce.training.evaluation.ground_truth import file_key
from detreduce.training.run.folder import RunFolder


def rows_by_file(run: RunFolder) -> dict[str, int]:
    """Return a dict from the `file_key` of each training file to the row of its image in the dataset.

    A link belongs to the image that it points to. A copied file belongs to the image with the same name.
    """
    by_path: dict[Path, list[int]] = {}
    by_name: dict[str, list[int]] = {}
    for row, record in enumerate(run.source):
        by_path.setdefault(record.path.resolve(), []).append(row)
        by_name.setdefault(record.name, []).append(row)
    rows: dict[str, int] = {}
    for record in run.datasets["train"]:
        candidates = by_path.get(record.path.resolve()) or by_name.get(record.name, [])
        if len(candidates) > 1:
            candidates = [row for row in candidates if run.source[row].name == record.name] or candidates
        if candidates:
            rows[file_key(record.path)] = candidates[0]
    return rows
