"""Where the files of the former version are."""

from __future__ import annotations

from pathlib import Path

FILES = Path(__file__).parent / "files"
DATA = FILES / "dataset" / "data.yaml"
