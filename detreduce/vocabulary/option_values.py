"""Option values that commands and functions share. Commands import them here to start fast."""

from __future__ import annotations

from typing import Literal

ExportForm = Literal["list", "csv", "coco", "fiftyone", "lightly-studio"]
SELECTIONS_SHOWN = 24
"""Maximum number of selections that a report shows with images."""
