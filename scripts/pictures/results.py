"""Draw docs/results/NAME.png, mAP50 against computation; run by python scripts/pictures/results.py."""

from __future__ import annotations

import json
from pathlib import Path

from detreduce.figures import trade_off

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"


def main() -> None:
    """Draw every result that is kept."""
    for file in sorted(RESULTS.glob("*.json")):
        rows = json.loads(file.read_text(encoding="utf-8"))["cells"]
        figure = trade_off(rows, "TFLOPs", "mAP50")
        assert figure is not None, file
        figure.savefig(file.with_suffix(".png"), dpi=140, facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    main()
