"""A list of the kept images, and a table of all."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from detreduce.dataset.listing import absolute
from detreduce.exports.rows import ImageRow

COLUMNS = ("image_id", "name", "path", "kept", "rank", "score", "category")


def list_text(rows: Sequence[ImageRow]) -> bytes:
    """The absolute paths of the kept images, one a line, in the order chosen, as a data.yaml may name them."""
    kept = sorted((row.rank, row.record) for row in rows if row.rank is not None)
    return "".join(f"{absolute(record.path)}\n" for _, record in kept).encode("utf-8", "surrogateescape")


def csv_text(rows: Sequence[ImageRow], paths: Sequence[str] | None = None) -> bytes:
    """All images in the dataset's order, one a line; `paths` where they are not to be the dataset's own.

    What is not there is empty: the rank of dropped images, the score of images that were never looked at.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, row in enumerate(rows):
        path = str(absolute(row.record.path)) if paths is None else paths[number]
        score = "" if row.score != row.score else row.score
        writer.writerow([row.record.id, row.record.name, path, int(row.kept), row.rank, score, row.category])
    return text.getvalue().encode("utf-8", "surrogateescape")
