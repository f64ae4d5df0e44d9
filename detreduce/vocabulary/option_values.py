"""Option values that commands and functions share.

Commands read the values from this small module, so they start fast.
"""

from __future__ import annotations

from typing import Literal

ExportForm = Literal["list", "csv", "coco", "fiftyone", "lightly-studio"]
WeightsBy = Literal["class_uniform", "cluster_balanced", "weights"]
WeightsForm = Literal["csv", "list"]
ReportForm = Literal["page", "paper"]
SELECTIONS_SHOWN = 24
"""Maximum number of selections that a report shows with images."""

ALL = "all"
"""The value of `keep` for all images except excluded images and duplicates."""
AUTO = "auto"
"""The method that leaves out near-duplicates and then uses the recommended method."""
