"""Values that commands and functions share, apart from the functions, whose modules take long to import."""

from __future__ import annotations

from typing import Literal

ExportForm = Literal["list", "csv", "coco", "fiftyone", "lightly-studio"]
SELECTIONS_SHOWN = 24
"""Of so many selections a report shows the images."""
