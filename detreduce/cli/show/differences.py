"""Print how each method compares with random subsets and with the equal-steps control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from detreduce.cli.show.terminal import fits, plain_table, show_status, show_text
from detreduce.display.terminal_text import ERROR, GOOD
from detreduce.vocabulary.controls import CLAIMS, CONTROLS, EQUAL_ITERATIONS, RANDOM_METHODS, RECIPE_CONTROLS, words_of
from detreduce.vocabulary.measures import ACCURACIES, MAIN_ACCURACY

if TYPE_CHECKING:
    from detreduce.experiment.results.result_table import ResultRow, ResultTable
    from detreduce.experiment.statistics.comparison import Comparison
    from detreduce.experiment.statistics.ranks import MethodRanks

VERDICTS = {"better": GOOD, "worse": ERROR}

# a terminal that is at least this wide gets one table with both measures and their verdicts
WIDE = 180


def show_differences(
    out: Console,
    table: ResultTable,
    comparisons: Sequence[Comparison],
    ranking: MethodRanks | None,
    *,
    cleaning: bool = False,
) -> None:
    """Print the differences between the methods and each reference, with intervals and verdicts.

    The references are random subsets and controls, for example the equal-steps control. Then print the average ranks of
    the methods.

    `cleaning` is True if the experiment only leaves out near-duplicates. In this case, no random subsets are needed,
    and no hint about missing ones is printed.
    """
    from detreduce.experiment.results.result_table import interval_notes

    for against in table.references:
        rows = [row for row in table.rows if any(name == against for name, _ in row.differences)]
        known = against in CONTROLS or against in RECIPE_CONTROLS
        words = words_of(against) if known else f"random ({against})"
        claims = dict.fromkeys(item.claim for item in comparisons if item.against == against)
        claim = "".join(f" ({name} claim: {CLAIMS[name]})" for name in claims if name)
        out.print(f"\nCompared with {words}{claim}: difference, 95 % interval, verdict", style="bold")
        measures = [name for name in ACCURACIES if any((against, name) in row.differences for row in rows)]
        for shown in [measures] if out.width >= WIDE else [[name] for name in measures]:
            _show_table(out, rows, against, shown)
    methods = not table.rows or any(not row.is_control and not row.is_recipe for row in table.rows)
    if methods and not cleaning and all(item.against == EQUAL_ITERATIONS for item in comparisons):
        show_text(out, _why_not_random(table))
    if not comparisons:
        return
    for note in interval_notes(comparisons):
        show_text(out, note, style="dim")
    if ranking is not None and ranking.compares_several:
        ranks = ", ".join(f"{method} {rank:.1f}" for method, rank in ranking.average.items())
        what = f"Average rank in {ACCURACIES[MAIN_ACCURACY]} over {ranking.blocks} blocks (each keep with each seed)"
        show_text(out, f"{what}: {ranks}. {ranking.in_words()}")


def _why_not_random(table: ResultTable) -> str:
    """Return a sentence that says why no method is compared with random subsets."""
    trained = {row.method.text.partition("(")[0] for row in table.rows if not row.is_control and not row.is_recipe}
    random = {row.method.text.partition("(")[0] for row in table.rows} & set(RANDOM_METHODS)
    if trained and trained <= random:
        return "Only random subsets were trained. Add a method to compare it with random subsets."
    if random:
        return (
            f"No method can be compared with random subsets ({', '.join(sorted(random))}), because none has the same "
            "keep and training seeds."
        )
    return (
        "There are no random subsets to compare with. To judge a method, add srs or random with the same keep and "
        "seeds."
    )


def _show_table(out: Console, rows: Sequence[ResultRow], against: str, measures: Sequence[str]) -> None:
    """Print one table with the differences between the methods and the reference `against`."""
    tested = any(row.difference(against, name).p for row in rows for name in measures)
    p_heading = ["p, Holm"] * tested
    headings = [heading for name in measures for heading in (ACCURACIES[name], *p_heading, "verdict")]
    shown = plain_table("method", "keep", "seeds", *headings, wide=out.width >= WIDE)
    for row in rows:
        found = [row.difference(against, name) for name in measures]
        cells: list[str | Text] = [row.method.text, row.keep.text, f"{max(item.seeds for item in found)}"]
        for item in found:
            cells += [item.with_interval, *[item.p] * tested, Text(item.verdict_and_claim, VERDICTS.get(item.kind, ""))]
        shown.add_row(*cells)
    if fits(out, shown):
        out.print(shown)
        return
    # the verdicts do not fit into a narrow table without breaking their lines, so they are printed below it
    shown.columns = [column for column in shown.columns if column.header != "verdict"]
    out.print(shown)
    for row in rows:
        for name in measures:
            item = row.difference(against, name)
            about = f"{row.method.text}, {row.keep.text}" + f", {ACCURACIES[name]}" * (len(measures) > 1)
            show_status(out, f"{about}: {item.verdict_and_claim}", VERDICTS.get(item.kind, ""), indent="  ")
