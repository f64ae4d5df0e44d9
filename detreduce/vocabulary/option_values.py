"""Values that commands and functions share; the modules of the functions are slow to import."""

from __future__ import annotations

from typing import Literal

ExportForm = Literal["list", "csv", "coco", "fiftyone", "lightly-studio"]
SELECTIONS_SHOWN = 24
"""How many selections a report shows with images."""
