"""Allowed values of options that several commands and functions share.

This module imports almost nothing, so that commands start fast.
"""

from __future__ import annotations

from typing import Literal

ExportForm = Literal["list", "csv", "coco", "fiftyone", "lightly-studio", "label-studio", "cvat", "labelme", "roboflow"]
FILE_FORMS = ("list", "csv", "coco")
"""The forms of an export that are one file. The other forms are folders."""
WeightsBy = Literal["class_uniform", "cluster_balanced", "weights"]
WeightsForm = Literal["csv", "list"]
ReportForm = Literal["page", "paper"]
SELECTIONS_SHOWN = 24
"""Maximum number of selections for which a report shows images."""

ALL = "all"
"""The `keep` that keeps all images, except excluded images and near-duplicates."""
AUTO = "auto"
"""The method name that leaves out near-duplicates and then runs the recommended method."""
