"""Correlate epsilon with the score of classifiers on reduced tables, as predictors.py does for images.

    python scripts/studies/table_epsilon.py

The cells are those of docs/results/tables.json. The correlations are stored in docs/results/studies/tables.json, and
scripts/docs/tables.py writes the table in docs/tables.md from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from predictors import correlate, gains

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
CELLS, CORRELATIONS = RESULTS / "tables.json", RESULTS / "studies" / "tables.json"
MODELS = ("mlp", "boosting")
Row = Mapping[str, Any]


def cells() -> list[dict[str, Any]]:
    """Return the cells of the benchmark. A seed decides the split and the choice, so it stands for the selection."""
    content = json.loads(CELLS.read_text(encoding="utf-8"))
    rows = [dict(zip(content["columns"], row, strict=True)) for row in content["cells"]]
    for number, row in enumerate(rows):
        row |= {"key": number, "label": row["method"], "selection_seed": row["seed"]}
    return rows


def correlations(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Yield Spearman's rho of epsilon and the gain over random in macro-F1, for each table, keep and classifier."""
    for table in dict.fromkeys(row["table"] for row in rows):
        own = [row for row in rows if row["table"] == table and row["method"] != "full"]
        gaps = {(row["keep"], row["method"], row["seed"]): float(row["epsilon"]) for row in own}
        for model in MODELS:
            for keep in sorted({row["keep"] for row in own}):
                here = [row for row in own if row["keep"] == keep]
                [of_keep] = gains(here, f"{model}_f1").values()
                predictor = [gaps[keep, label, seed] for label, _, seed in of_keep]
                result = correlate(predictor, list(of_keep.values()), [label for label, _, _ in of_keep])
                if result is not None:
                    rho, low, high = result
                    found = {"table": table, "keep": keep, "model": model, "rho": rho, "low": low, "high": high}
                    yield {**found, "selections": len(of_keep), "methods": len({label for label, _, _ in of_keep})}


def main() -> None:
    content = {"command": "python scripts/studies/table_epsilon.py", "correlations": list(correlations(cells()))}
    CORRELATIONS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for row in content["correlations"]:
        print({name: round(value, 2) if isinstance(value, float) else value for name, value in row.items()})


if __name__ == "__main__":
    main()
