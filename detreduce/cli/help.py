"""The layout of help texts: lists of arguments and options, followed by examples that can be copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from detreduce.display.typed_paths import remember_paths

EXAMPLE = "Example:"

# Groups of options in the help of a command, in the order in which they are shown. Each option names its group
# (rich_help_panel).
DATA, CONTENT, CHOICE, DUPLICATES = "Data", "Content", "Choosing images", "Duplicates and leaks"
FEATURES, TRAINING, EVALUATION, RECIPE = "Features", "Training", "Evaluation and energy", "Recipe"
FILTER, RUN, OUTPUT = "Cells", "Running", "Output"
GROUPS = [CHOICE, CONTENT, DUPLICATES, FEATURES, RECIPE, FILTER, TRAINING, EVALUATION, RUN, DATA, OUTPUT]
# groups of commands in the help of the program
CLEAN, CHOOSE, TRAIN, AGENTS = "Clean a dataset", "Choose images", "Train for less", "For agents"


class _WithExample:
    """A mixin that prints the examples of a command at the end of its help, without breaking their lines.

    In the help text of the command, each line after ``Example:`` is one example.
    """

    def __init__(self, *args: Any, help: str | None = None, **more: Any) -> None:
        text, _, example = (help or "").partition(EXAMPLE)
        self.examples = [line.strip() for line in example.splitlines() if line.strip()]
        super().__init__(*args, help=text.rstrip(), **more)  # type: ignore[call-arg]

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples at the end of the help."""
        super().format_epilog(ctx, formatter)  # type: ignore[misc]
        if self.examples:
            formatter.write_paragraph()
            formatter.write(f"{EXAMPLE}\n")
            for line in self.examples:
                formatter.write(f"  {line}\n")


class Command(_WithExample, TyperCommand):
    """A command whose docstring ends with examples."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Messages show paths as the user typed them."""
        values = [one for value in ctx.params.values() for one in (value if isinstance(value, list) else [value])]
        remember_paths(value for value in values if isinstance(value, Path))
        return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words after the command's name in the usage line, for example ``[OPTIONS] DATA
        [NAME=VALUE]...``.
        """
        pieces = []
        for one in self._arguments(ctx):
            name = _name(one) if one.required else f"[{_name(one)}]"
            pieces.append(f"{name}{'...' * (one.nargs == -1)}")
        return ["[OPTIONS]", *pieces]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the list of arguments, and one list of options for each group."""
        given = [(_name(one), one.get_help_record(ctx)[1]) for one in self._arguments(ctx)]
        if given:
            with formatter.section("Arguments"):
                formatter.write_dl(given)
        grouped: dict[str, list[tuple[str, str]]] = {}
        for one in self.get_params(ctx):
            record = one.get_help_record(ctx) if one.param_type_name == "option" else None
            if record is not None:
                grouped.setdefault(getattr(one, "rich_help_panel", None) or OUTPUT, []).append(record)
        for name in sorted(grouped, key=GROUPS.index):
            with formatter.section(name if len(grouped) > 1 else "Options"):
                formatter.write_dl(grouped[name])

    def _arguments(self, ctx: Any) -> list[Any]:
        return [one for one in self.get_params(ctx) if one.param_type_name == "argument"]


def _name(argument: Any) -> str:
    return argument.metavar or argument.name.upper()


class Group(_WithExample, TyperGroup):
    """A group of commands. In the list of commands, each command is shown with the whole first sentence of its help."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands."""
        grouped: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            if one := self.get_command(ctx, name):
                group = getattr(one, "rich_help_panel", None) or "Commands"
                grouped.setdefault(group, []).append((name, one.get_short_help_str(limit=500)))
        for group, commands in grouped.items():
            with formatter.section(group):
                formatter.write_dl(commands)


class Commands(typer.Typer):
    """The registry of commands. Each function that is registered here becomes a `Command`."""

    def command(self, *args: Any, **more: Any) -> Any:
        """Register a function as a command."""
        return super().command(*args, **{"cls": Command, **more})
