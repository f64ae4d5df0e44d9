"""Write the kept images as a text list, and all images as a CSV table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from detreduce.dataset.listing import absolute
from detreduce.exports.rows import ImageRow

COLUMNS = ("image_id", "name", "path", "kept", "rank", "score", "category")


def list_text(rows: Sequence[ImageRow]) -> bytes:
    """Return the absolute paths of the kept images, one per line, in the order of selection, for a data.yaml."""
    kept = sorted((row.rank, row.record) for row in rows if row.rank is not None)
    return "".join(f"{absolute(record.path)}\n" for _, record in kept).encode("utf-8", "surrogateescape")


def csv_text(rows: Sequence[ImageRow], paths: Sequence[str] | None = None) -> bytes:
    """Return a CSV table with one line for each image, in the dataset's order.

    The paths are `paths` or, by default, the absolute paths of the images. Missing values are empty: the rank of a
    dropped image, and the score of an image that the method did not score.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, row in enumerate(rows):
        path = str(absolute(row.record.path)) if paths is None else paths[number]
        score = "" if row.score != row.score else row.score
        writer.writerow([row.record.id, row.record.name, path, int(row.kept), row.rank, score, row.category])
    return text.getvalue().encode("utf-8", "surrogateescape")
