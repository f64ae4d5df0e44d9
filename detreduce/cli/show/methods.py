"""Print the result of the command `methods`: all methods in short, or one method in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import READABLE, WIDE, show_text, table_of

if TYPE_CHECKING:
    from detreduce.reducers.description import Description


def show_methods(methods: Sequence[Description]) -> None:
    """Print all methods as a table on a wide terminal, else as lists of facts."""
    from detreduce.reducers.description import explain_symbols

    out = terminal.console()
    if out.is_terminal and out.width >= WIDE:
        table = table_of("method", "family", *(label for label, _ in _facts(methods[0])))
        for method in methods:
            table.add_row(method.name, method.family, *(text for _, text in _facts(method)))
            table.add_section()
        out.print(table)
    else:
        for method in methods:
            _show_facts(out, method, out.width)
    show_text(out, f"Symbols in the costs: {explain_symbols()}", out.width)
    out.print("To show one method in full: detreduce methods mms")


def show_method(method: Description) -> None:
    """Print one method in full: its facts, its formula, its parameters, and an example command."""
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


def _facts(method: Description) -> tuple[tuple[str, str], ...]:
    """Return the label and the text of each fact about a method."""
    return (
        ("keeps", f"{method.keeps}: {method.summary}" if method.keeps else method.summary),
        ("needs", ", ".join(method.needs) or "nothing"),
        ("cost", method.cost),
        ("fails", method.fails),
        ("source", method.source),
    )


def _show_facts(out: Console, method: Description, width: int) -> None:
    out.print(method.name, style="bold", end="")
    out.print(f" ({method.family})")
    for label, text in _facts(method):
        if text:
            show_text(out, text, width, first=f"  {label:8}", indent=" " * 10)
