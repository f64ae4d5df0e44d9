"""Print the result of the command `methods`: a table of all methods, or everything about one method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import READABLE, show_table, show_text, table_of
from detreduce.display.terminal_text import GOOD

if TYPE_CHECKING:
    from detreduce.reducers.description import MethodDescription


# what a method needs -> the word for it in the table
NEEDS = {
    "objects": "boxes",
    "features": "images",
    "object_vectors": "images",
    "dynamics": "proxy",
    "gradients": "proxy",
    "uncertainty": "detector",
    "disagreement": "detector",
}


def show_methods(methods: Sequence[MethodDescription]) -> None:
    """Print a table of all methods, with the recommended methods first, and say when to use the recommended ones."""
    from detreduce.reducers.recommended import EVIDENCE, RECOMMENDED, recommended_first

    out = terminal.console()
    by_name = {method.name: method for method in methods}
    order = recommended_first(list(by_name))
    table = table_of("method", "needs", "keeps")
    for name in order:
        method, is_first = by_name[name], name in RECOMMENDED
        needs = dict.fromkeys(NEEDS[need] for need in method.needs if need in NEEDS)
        last = is_first and order[-1] != name and order[order.index(name) + 1] not in RECOMMENDED
        shown = Text(name, GOOD if is_first else "")
        table.add_row(shown, ", ".join(needs) or "-", method.summary, end_section=last)
    show_table(out, table)
    out.print()
    show_text(out, f"Recommended (evidence: {EVIDENCE}):", style="bold")
    for name, when in RECOMMENDED.items():
        show_text(out, when, first=f"  {name:15}", indent=" " * 17)
    out.print()
    show_text(
        out,
        "Needs: boxes (labels, or a detector's boxes with --detector), images (to compute features from), proxy (the "
        "log of a short training, `detreduce proxy`) or detector (--detector). Methods that need no boxes also work on "
        "unlabelled images.",
    )
    show_text(out, "Costs, weaknesses, parameters and an example of one method: `detreduce methods herding`")


def show_method(method: MethodDescription) -> None:
    """Print everything about one method: its facts, its formula, its parameters and an example command."""
    from detreduce.reducers.description import explain_symbols, shown

    out = terminal.console()
    width = min(out.width, READABLE)
    _show_facts(out, method, width)
    for paragraph in method.about:
        out.print()
        show_text(out, paragraph, width)
    out.print()
    for trait in method.traits:
        show_text(out, trait, width, first="- ", indent="  ")
    out.print("\nParameters", style="bold")
    for parameter in method.parameters:
        option = f"{parameter.option}, in Python " if parameter.option else ""
        out.print(f"  {option}{parameter.name}={shown(parameter.default)}", soft_wrap=True)
        show_text(out, parameter.text, width, indent=" " * 6)
    out.print("\nExample", style="bold")
    out.print(f"  {method.example}", soft_wrap=True)
    out.print()
    show_text(out, f"Cost: {explain_symbols(method.cost)}", width)


def _facts(method: MethodDescription) -> tuple[tuple[str, str], ...]:
    """Return the facts about a method as pairs (label, text)."""
    return (
        ("keeps", f"{method.keeps}: {method.summary}" if method.keeps else method.summary),
        ("needs", ", ".join(method.needs) or "nothing"),
        ("cost", method.cost),
        ("fails", method.fails),
        ("source", method.source),
    )


def _show_facts(out: Console, method: MethodDescription, width: int) -> None:
    out.print(method.name, style="bold", end="")
    out.print(f" ({method.family})")
    for label, text in _facts(method):
        if text:
            show_text(out, text, width, first=f"  {label:8}", indent=" " * 10)
