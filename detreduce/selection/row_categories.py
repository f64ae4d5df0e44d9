"""Assign an image category to each row of a table, by a rule or from given labels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.dataset.categories import Categories, assign_categories
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError
from detreduce.reducers.engine.validation import encode_categories

VIDEO, IMAGES = "video", "images"
"""A rule that makes each video a category, and the name of its category for images that are not frames."""


def categories_of_rows(dataset: DetectionDataset, rows: npt.NDArray[np.int64], categories: Any) -> Categories:
    """Return the categories of the images in some rows of a dataset.

    `categories` is a rule of `assign_categories`, one label for each of the `rows`, or None to put all images in one
    category. Raises InputError if the rule is unknown, or if a row does not have a label.
    """
    if isinstance(categories, str) and categories == VIDEO:
        return _by_video(dataset, rows)
    if is_rule(categories):
        # rules with class names use the plain names; the names of categories must be unique even if classes share a
        # name
        names = dataset.class_labels if isinstance(categories, str) else dataset.class_names
        counts, unreadable = dataset.sparse_class_counts[rows], dataset.unreadable[rows]
        return assign_categories(counts, names, categories, unreadable=unreadable)
    codes, labels = encode_categories(categories, len(rows))
    return Categories(codes, tuple(str(label) for label in labels))


def _by_video(dataset: DetectionDataset, rows: npt.NDArray[np.int64]) -> Categories:
    """Return one category for each video, and one for all images that are not frames.

    Raise InputError if the dataset has no videos.
    """
    root = dataset.source.root
    names = [
        IMAGES if record.frame is None else Path(os.path.relpath(record.frame.video, root)).as_posix()
        for record in dataset
    ]
    if all(name == IMAGES for name in names):
        raise InputError(f"The category rule {VIDEO!r} is for videos, but {dataset.source.typed} has none.")
    labels, codes = np.unique(np.array(names, dtype=object)[rows].astype(str), return_inverse=True)
    return Categories(codes.astype(np.int64), tuple(labels.tolist()))


def is_rule(categories: Any) -> bool:
    """Return whether `categories` is a rule or a list of rules, not a list of labels."""
    if isinstance(categories, str):
        return True
    return isinstance(categories, list) and bool(categories) and all(isinstance(item, Mapping) for item in categories)
