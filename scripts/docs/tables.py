"""Write the results of scripts/benchmarks/tables.py and scripts/studies/table_epsilon.py into docs/tables.md.

python scripts/docs/tables.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, RESULTS = DOCS / "tables.md", DOCS / "results"
MARKED = re.compile(r"(<!-- tables: (\w+) -->\n).*?(<!-- /tables -->)", re.DOTALL)
MODELS = {"mlp": "network", "boosting": "boosting"}
RANDOM = "srs"
MOST_KEPT = 0.5
"""The largest keep in the table of scores. The picture has all of them."""
Row = Mapping[str, Any]


def cells() -> list[dict[str, Any]]:
    """Return the stored cells as dicts."""
    content = json.loads((RESULTS / "tables.json").read_text(encoding="utf-8"))
    return [dict(zip(content["columns"], row, strict=True)) for row in content["cells"]]


def methods_of(rows: Sequence[Row]) -> list[str]:
    """Return the names of the methods in the order of the benchmark, without the full table."""
    order = ["srs", "clc", "mms", "des", "phl", "nrmd", "prd", "fes", "rkm", "facility", "moderate"]
    names = {row["method"] for row in rows} - {"full"}
    return [name for name in order if name in names] + sorted(names - set(order))


def name_of(method: str) -> str:
    """Return the name of a method as code."""
    return f"`{method}`"


def mean(rows: Sequence[Row], measure: str, **only: Any) -> float:
    """Return the mean of a measure over the rows with these values."""
    return float(np.mean([float(row[measure]) for row in rows if all(row[key] == one for key, one in only.items())]))


def difference(rows: Sequence[Row], measure: str, method: str, **only: Any) -> tuple[float, float, int]:
    """Return the mean difference from random rows, paired by seed, half its 95 % interval, and the number of seeds."""
    own, other = (
        {
            row["seed"]: row[measure]
            for row in rows
            if row["method"] == name and all(row[k] == v for k, v in only.items())
        }
        for name in (method, RANDOM)
    )
    gaps = np.array([own[seed] - other[seed] for seed in sorted(own)])
    count = len(gaps)
    half = float(t.ppf(0.975, count - 1) * gaps.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan")
    return float(gaps.mean()), half, count


def scores() -> list[str]:
    """Return a table of the mean macro-F1 of the network for each table and keep."""
    rows = cells()
    groups = sorted({(row["table"], row["keep"]) for row in rows if row["keep"] <= MOST_KEPT})
    tables = list(dict.fromkeys(table for table, _ in groups))
    heads = [f"{table.replace('_', ' ')} {keep:.0%}" for table, keep in groups]
    lines = [f"| method | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    best = {
        group: max(mean(rows, "mlp_f1", method=name, table=group[0], keep=group[1]) for name in methods_of(rows))
        for group in groups
    }
    for method in methods_of(rows):
        means = {group: mean(rows, "mlp_f1", method=method, table=group[0], keep=group[1]) for group in groups}
        texts = [f"**{value:.3f}**" if value == best[group] else f"{value:.3f}" for group, value in means.items()]
        lines.append(f"| {name_of(method)} | {' | '.join(texts)} |")
    full = {table: f"{mean(rows, 'mlp_f1', method='full', table=table):.3f}" for table in tables}
    return [*lines, f"| all rows | {' | '.join(full[table] for table, _ in groups)} |"]


def tenth() -> list[str]:
    """Return a table of the differences from random rows at 10 %, with intervals, epsilon, and the choice's time."""
    rows = [row for row in cells() if row["keep"] in (0.1, 1.0)]
    tables = list(dict.fromkeys(row["table"] for row in rows))
    heads = [f"{table.replace('_', ' ')}, {words}" for table in tables for words in (*MODELS.values(), "epsilon")]
    lines = [f"| method | {' | '.join(heads)} | choice, ms |", "|---|" + "---|" * (len(heads) + 1)]
    for method in methods_of(rows):
        texts = []
        for table in tables:
            for model in MODELS:
                if method == RANDOM:
                    texts.append(f"{mean(rows, f'{model}_f1', method=method, table=table):.3f}")
                    continue
                gap, half, _ = difference(rows, f"{model}_f1", method, table=table)
                text = f"{gap:+.3f} ± {half:.3f}"
                texts.append(f"**{text}**" if abs(gap) > half else text)
            texts.append(f"{mean(rows, 'epsilon', method=method, table=table):.2f}")
        milliseconds = 1000 * mean(rows, "choose_s", method=method)
        lines.append(f"| {name_of(method)} | {' | '.join(texts)} | {milliseconds:.0f} |")
    return lines


def costs() -> list[str]:
    """Return a table of the CPU seconds of a training at each keep, as a share of those with all rows."""
    rows = cells()
    tables = list(dict.fromkeys(row["table"] for row in rows))
    keeps = sorted({row["keep"] for row in rows})
    lines = [
        "| table, classifier | " + " | ".join(f"{keep:.0%}" for keep in keeps) + " |",
        "|---|" + "---|" * len(keeps),
    ]
    for table in tables:
        for model, words in MODELS.items():
            measure = f"{model}_train_s"
            full = mean(rows, measure, table=table, keep=1.0)
            present = {row["keep"] for row in rows if row["table"] == table}
            texts = [
                f"{mean(rows, measure, table=table, keep=keep) / full:.0%}" if keep in present else "" for keep in keeps
            ]
            texts[-1] = f"{full:.2f} s"
            lines.append(f"| {table.replace('_', ' ')}, {words} | {' | '.join(texts)} |")
    return lines


def epsilon() -> list[str]:
    """Return a table of the correlations of epsilon with the gain in macro-F1."""
    found = json.loads((RESULTS / "studies" / "tables.json").read_text(encoding="utf-8"))["correlations"]
    lines = [f"| table | keep | {' | '.join(MODELS.values())} | selections |", "|---|---|---|---|---|"]
    for table, keep in dict.fromkeys((row["table"], row["keep"]) for row in found):
        here = {row["model"]: row for row in found if (row["table"], row["keep"]) == (table, keep)}
        texts = []
        for model in MODELS:
            row = here[model]
            text = f"{row['rho']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})"
            texts.append(f"**{text}**" if row["low"] > 0 or row["high"] < 0 else text)
        count = next(iter(here.values()))["selections"]
        lines.append(f"| {table.replace('_', ' ')} | {keep:.0%} | {' | '.join(texts)} | {count} |")
    return lines


def with_tables(text: str) -> str:
    """Return the text of docs/tables.md with new tables between its markers."""
    make = {"scores": scores, "tenth": tenth, "costs": costs, "epsilon": epsilon}

    def replacement(match: re.Match[str]) -> str:
        return f"{match[1]}\n" + "\n".join(make[match[2]]()) + f"\n\n{match[3]}"

    return MARKED.sub(replacement, text)


def main() -> None:
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
