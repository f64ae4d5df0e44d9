"""How the help of commands looks: whole sentences in lists, and an example at the end that can be copied."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

EXAMPLE = "Example:"


class Command(TyperCommand):
    """A command whose docstring ends in a paragraph ``Example:``, one command line a line.

    The help shows it last, right above the prompt, and unbroken.
    """

    def __init__(self, *args: Any, help: str | None = None, **more: Any) -> None:
        text, _, example = (help or "").partition(EXAMPLE)
        self.examples = [line.strip() for line in example.splitlines() if line.strip()]
        super().__init__(*args, help=text.rstrip(), **more)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples; what else there is to say comes before."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            formatter.write_paragraph()
            formatter.write(f"{EXAMPLE}\n")
            for line in self.examples:
                formatter.write(f"  {line}\n")


class Group(TyperGroup):
    """A group of commands, each with its whole first sentence in the list."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(limit=500)) for name, one in commands.items() if one])


class Commands(typer.Typer):
    """Where commands are registered: each is a `Command`."""

    def command(self, *args: Any, **more: Any) -> Any:
        """Register a function as a command."""
        return super().command(*args, **{"cls": Command, **more})
