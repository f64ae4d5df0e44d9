"""Decide whether ultralytics leaves an image out of the training because of its label file."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detreduce.dataset.reading.box_problems import TOLERANCE

Values = npt.NDArray[np.float32]


@np.errstate(over="ignore", invalid="ignore")
def why_refused(data: bytes, n_classes: int, kpt_shape: tuple[int, int] | None = None) -> str | None:
    """Return why ultralytics leaves out the image that belongs to a label file, or None if it uses the image.

    The rules are copied from `ultralytics.data.utils.verify_image_label`, which computes in float32. They apply to the
    file as a whole: a single bad line is enough to leave out the image. A file with keypoints is judged as in a pose
    training, and any other file as in a detection training.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "not UTF-8"
    rows = [line.split() for line in text.strip().splitlines() if line.strip()]
    if not rows:
        return None
    width = 5 + kpt_shape[0] * kpt_shape[1] if kpt_shape else 0
    pose = any(len(row) == width for row in rows)
    try:
        values = [np.array(row, np.float32) for row in rows]
    except ValueError:
        return "a value is not a number"
    counts = {len(row) for row in rows}
    if pose:
        if counts != {width}:
            return "mixes plain boxes and boxes with keypoints"
    elif max(counts) > 6:
        if 5 in counts:
            return "mixes boxes and polygons"
        if any(count % 2 == 0 or count < 3 for count in counts):
            return "a line has a wrong number of fields"
        values = [_bounds(row) for row in values]
    elif counts != {5}:
        return "a line has a wrong number of fields"
    table = np.array(values, np.float32)
    step = kpt_shape[1] if kpt_shape and pose else 0
    points = table[:, 5:].reshape(-1, step)[:, :2] if pose else table[:, 1:]
    return _check_table(table, points, n_classes)


def _bounds(row: Values) -> Values:
    """Return the class and the bounding box (cx, cy, w, h) of a polygon.

    `row` contains the class, followed by the points of the polygon.
    """
    points = row[1:].reshape(-1, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    return np.concatenate([row[:1], (low + high) / 2, high - low])


def _check_table(table: Values, points: Values, n_classes: int) -> str | None:
    """Return what is wrong with the values of a file, or None.

    `table` has a row (class, cx, cy, w, h, ...) for each line. `points` contains only the coordinates. They must be at
    most 1.
    """
    # each of these comparisons is False for NaN
    if not points.max() <= np.float32(1 + TOLERANCE):
        return "a coordinate is above 1"
    lowest = table.min()
    if not (lowest >= 0 or (lowest >= np.float32(-TOLERANCE) and table[:, 3:5].min() >= 0)):
        return "a value is below 0"
    if not (table[:, 0] % 1 == 0).all():
        return "a class is not a whole number"
    return None if table[:, 0].max() < n_classes else f"a class is outside 0-{n_classes - 1}"
