"""Write the kept images as a list of paths, and all images as a CSV table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.writing.list_lines import utf8_line
from detreduce.display.spreadsheet import spreadsheet_cell
from detreduce.exports.rows import ImageRow

COLUMNS = ("image_id", "name", "path", "kept", "rank", "score", "category")


def list_text(rows: Sequence[ImageRow]) -> bytes:
    """Return the text of a list that a data.yaml can use: the absolute paths of the kept images, in the order of
    selection.
    """
    kept = sorted((row.rank, row.record) for row in rows if row.rank is not None)
    return "".join(utf8_line(absolute(record.path)) for _, record in kept).encode()


def csv_text(rows: Sequence[ImageRow], paths: Sequence[str] | None = None) -> bytes:
    """Return a CSV table with one line for each image, in the order of the dataset.

    The column `path` contains `paths` or, by default, the absolute paths of the images. A dropped image has an empty
    rank, and an image that the method did not score has an empty score. If a spreadsheet would run a text as a formula,
    an apostrophe is put in front of it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, row in enumerate(rows):
        path = str(absolute(row.record.path)) if paths is None else paths[number]
        score = "" if row.score != row.score else row.score
        cells = [row.record.id, row.record.name, path, int(row.kept), row.rank, score, row.category]
        writer.writerow(map(spreadsheet_cell, cells))
    return text.getvalue().encode("utf-8", "surrogateescape")
