"""What a person sees of methods beside chance: differences with intervals, and verdicts in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from detreduce.vocabulary.controls import EQUAL_ITERATIONS, EQUAL_STEPS

if TYPE_CHECKING:
    from detreduce.experiment.statistics.comparison import Comparison
    from detreduce.experiment.statistics.ranks import MethodRanks

HEADINGS = {"mAP50": "mAP50", "mAP50_95": "mAP50-95"}
TITLES = {EQUAL_ITERATIONS: f"Against {EQUAL_STEPS}"}
# both figures side by side, each with its verdict
WIDE = 180


def show_differences(out: Console, comparisons: Sequence[Comparison], ranking: MethodRanks | None) -> None:
    """Show every method beside chance and beside equally long training on all images."""
    for against in dict.fromkeys(item.against for item in comparisons):
        part = [item for item in comparisons if item.against == against]
        out.print(f"\n{TITLES.get(against, f'Against random ({against})')}: difference, 95 % interval, verdict")
        measures = [name for name in HEADINGS if any(item.measure == name for item in part)]
        for shown in [measures] if out.width >= WIDE else [[name] for name in measures]:
            out.print(_table(part, shown, wide=out.width >= WIDE))
    if not comparisons:
        out.print(
            "Nothing stands for chance: without srs or random at the same keep and seeds, no method can be judged."
        )
        return
    over = {item.over for item in comparisons}
    what = "seeds and test images" if over == {"seeds and images"} else "seeds alone" if over == {"seeds"} else ""
    intervals = f"over {what}" if what else "over seeds and test images, or seeds alone (*)"
    out.print(
        f"Intervals {intervals}, each by itself; verdicts by Holm over the methods of a keep, and by "
        "differences of seeds that are about Gaussian, which an exact p beside them does not need. Could detect: with "
        "80 % power, among as many methods."
    )
    for note in dict.fromkeys(part for item in comparisons for part in item.note.split("; ") if part):
        noted = [item for item in comparisons if note in item.note.split("; ")]
        where = ", ".join(dict.fromkeys(f"{item.method} {item.keep}" for item in noted))
        out.print(f"{note}: {'each comparison' if len(noted) == len(comparisons) else where}")
    if ranking is not None and len(ranking.average) > 2 and ranking.blocks > 1:
        ranks = ", ".join(f"{method} {rank:.1f}" for method, rank in ranking.average.items())
        out.print(
            f"Average rank in mAP50-95 over {ranking.blocks} blocks of keep and seed: {ranks}. {ranking.in_words()}"
        )


def _table(comparisons: Sequence[Comparison], measures: Sequence[str], *, wide: bool) -> Table:
    table = Table(header_style="bold", box=HEAVY_HEAD if wide else SIMPLE_HEAD, padding=(0, int(wide)))
    table.add_column("method", overflow="fold")
    for header in ("keep", "seeds"):
        table.add_column(header, justify="right")
    tested = any(item.p is not None for item in comparisons)
    for name in measures:
        table.add_column(HEADINGS[name], justify="right")
        if tested:
            table.add_column("p, Holm", justify="right")
        table.add_column("verdict")
    rows: dict[tuple[str, str], list[Comparison]] = {}
    for item in comparisons:
        rows.setdefault((item.method, repr(item.keep)), []).append(item)
    mixed = len({item.over for item in comparisons}) > 1
    for (method, keep), items in rows.items():
        by_measure = {item.measure: item for item in items}
        cells = [method, keep, f"{max(item.seeds for item in items)}"]
        for name in measures:
            found = by_measure.get(name)
            if found is None:
                cells += [""] * (3 if tested else 2)
                continue
            p = [] if not tested else ["" if found.p_holm is None else f"{found.p_holm:.3f}"]
            mark = "*" if mixed and found.over == "seeds" else ""
            cells += [_difference(found) + mark, *p, found.verdict]
        table.add_row(*cells)
    return table


def _difference(found: Comparison) -> str:
    text = f"{found.difference:+.3f}"
    if found.low is None or found.high is None:
        return text
    return f"{text} [{found.low:+.3f}, {found.high:+.3f}]"
