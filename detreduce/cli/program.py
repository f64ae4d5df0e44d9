"""The program `detreduce`. Its help lists the commands in the order of this file."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from detreduce.cli.commands import (
    duplicates,
    explain,
    export,
    inspect,
    ledger,
    mcp,
    merge,
    methods,
    next,
    plan,
    proxy,
    reduce,
    report,
    run,
    split,
    table,
    train,
    tune,
    weights,
)
from detreduce.cli.exit_codes import CODES, Program
from detreduce.cli.help import AGENTS, CHOOSE, CLEAN, TRAIN, Commands

app = Commands(
    name="detreduce",
    cls=Program,
    help="""Train object detectors on fewer images: choose and write the images to keep, and measure costs and savings.

    Example: detreduce reduce data.yaml --keep 0.25 --output reduced/
    """,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=f"Exit codes: {CODES}.",
)


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context,
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Print the version and exit if the option `--version` is given."""
    if show:
        from detreduce.version import __version__

        typer.echo(f"detreduce {__version__}")
        raise typer.Exit


# One line for each command, and for the group `ledger`. In the help, a group is the last entry under its heading.
app.command(rich_help_panel=CLEAN)(inspect.inspect)
app.command(rich_help_panel=CLEAN)(duplicates.duplicates)
app.command(rich_help_panel=CLEAN)(split.split)
app.command(rich_help_panel=CHOOSE)(reduce.reduce)
app.command(rich_help_panel=CHOOSE)(methods.methods)
app.command(rich_help_panel=CHOOSE)(explain.explain)
app.command(rich_help_panel=CHOOSE)(export.export)
app.command("next", rich_help_panel=CHOOSE)(next.next_images)
app.command(rich_help_panel=CHOOSE)(merge.merge)
app.command(rich_help_panel=CHOOSE)(table.table)
app.command(rich_help_panel=TRAIN)(train.train)
app.command(rich_help_panel=TRAIN)(weights.weights)
app.command(rich_help_panel=TRAIN)(proxy.proxy)
app.command(rich_help_panel=TRAIN)(run.run)
app.command(rich_help_panel=TRAIN)(plan.plan)
app.command(rich_help_panel=TRAIN)(tune.tune)
app.command(rich_help_panel=TRAIN)(report.report)
app.command(rich_help_panel=AGENTS)(mcp.mcp)
app.add_typer(ledger.commands, name="ledger", rich_help_panel=TRAIN)


def main() -> None:
    """Run the program. This is the entry point of the ``detreduce`` command."""
    if sys.executable and os.name == "posix" and not sys.flags.utf8_mode and sys.getfilesystemencoding() != "utf-8":
        # restart Python in UTF-8 mode: file names then mean the same in every locale, and Python sets this only at its
        # start
        variables = {**os.environ, "PYTHONUTF8": "1"}
        os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], variables)
    app()
