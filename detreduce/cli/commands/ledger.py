"""The commands of `detreduce ledger`: list, export, merge and remove finished cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from detreduce.cli import completion
from detreduce.cli.help import FILTER, OUTPUT, Commands, Group
from detreduce.cli.ledger_argument import open_ledger
from detreduce.cli.new_output import check_new_file
from detreduce.cli.options import Json, LedgerFolder, number_option
from detreduce.cli.output import begin_output, print_json, say
from detreduce.cli.values import parse_keep
from detreduce.display.numbers import counted
from detreduce.errors import InputError

commands = Commands(
    cls=Group,
    help="""List, export, merge and remove the finished cells of an experiment.

    A cell is one training, for instance with one method, one keep and one seed. The ledger is the folder that contains
    the finished cells.

    Example: detreduce ledger list runs/demo
    """,
    no_args_is_help=True,
    rich_markup_mode=None,
)

Method = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.methods,
        help="Only cells of this method. The name may include parameters.",
        rich_help_panel=FILTER,
    ),
]
Keep = Annotated[
    str | None,
    number_option("Only cells with this keep: a fraction (0.25) or a number of images (500).", FILTER),
]
Control = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Only cells of this control, for instance full (all images).", rich_help_panel=FILTER
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=VALUE",
        autocompletion=completion.columns,
        help="Only cells with this value in a column, for instance training_seed=0. May be repeated.",
        rich_help_panel=FILTER,
    ),
]


@commands.command("list")
def list_cells(
    ledger: LedgerFolder,
    method: Method = None,
    keep: Keep = None,
    control: Control = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List the finished cells with their results and costs.

    Example: detreduce ledger list runs/demo --method mms --where training_seed=0
    """
    opened = open_ledger(ledger)
    rows = opened.rows()
    chosen = _filtered(rows, method, keep, control, where)
    if as_json:
        print_json(chosen)
        return
    from detreduce.cli.show.ledger import show_rows

    show_rows(chosen, opened.path, len(rows))


@commands.command()
def export(
    ledger: LedgerFolder,
    output: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write: .csv, .json or .parquet.")],
    method: Method = None,
    keep: Keep = None,
    control: Control = None,
    where: Where = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.", rich_help_panel=OUTPUT)
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the finished cells to a file, as one table with one row for each cell.

    Example: detreduce ledger export runs/demo demo.csv
    """
    check_new_file(output, overwrite=overwrite)
    from detreduce.experiment.ledger.export import export_rows

    chosen = _filtered(open_ledger(ledger).rows(), method, keep, control, where)
    export_rows(chosen, output, overwrite=overwrite)
    if as_json:
        print_json({"file": str(output), "cells": len(chosen)})
        return
    say(f"{counted(len(chosen), 'cell')}: {output}")


@commands.command()
def merge(
    other: Annotated[
        Path, typer.Argument(metavar="OTHER", help="The ledger to copy cells from. This ledger does not change.")
    ],
    into: Annotated[
        Path, typer.Argument(metavar="INTO", help="The ledger to copy cells into. It is created if it does not exist.")
    ],
    as_json: Json = False,
) -> None:
    """Copy the finished cells of one ledger into another ledger.

    A cell that is equal in both ledgers is skipped. If a cell differs between the ledgers, no cell is copied.

    Example: detreduce ledger merge from-the-other-machine/demo runs/demo
    """
    from detreduce.experiment.ledger.merge import merge_ledgers

    merged = merge_ledgers(open_ledger(other).path, into)
    if as_json:
        print_json({"ledger": str(into), "copied": merged.copied, "skipped": merged.skipped})
        return
    say(f"{counted(len(merged.copied), 'cell')} copied, {counted(len(merged.skipped), 'cell')} existed already: {into}")


@commands.command()
def forget(
    ledger: LedgerFolder,
    keys: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY",
            autocompletion=completion.cells,
            help="Names of cells, as `detreduce ledger list` shows them.",
        ),
    ],
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Remove the cells without asking.", rich_help_panel=OUTPUT)
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove finished cells and their weights. The next run trains these cells again.

    Example: detreduce ledger forget runs/demo srs-keep0.25-s0-t0-0123456789
    """
    opened = open_ledger(ledger)
    for key in keys:
        # check every name before removing the first cell
        _ = opened.cell_folder(key)
    begin_output()
    if not yes and not typer.confirm(f"Remove {', '.join(keys)} from {opened.path}?", err=True):
        keys = []
    removed = list(dict.fromkeys(keys))
    for key in removed:
        opened.forget(key)
    if as_json:
        print_json({"ledger": str(opened.path), "removed": removed})
        return
    say(f"Removed {', '.join(removed)}." if removed else "Nothing was removed.")


def _filtered(
    rows: Sequence[Mapping[str, Any]],
    method: str | None,
    keep: str | None,
    control: str | None,
    where: list[str] | None,
) -> list[Mapping[str, Any]]:
    """Return the rows that match all filters on the command line."""
    from detreduce.experiment.ledger.export import filter_rows

    wanted = {}
    for text in where or []:
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise InputError(f"--where {text!r} does not have the form column=value. Use for example training_seed=0.")
        wanted[column.strip()] = value.strip()
    amount = None if keep is None else parse_keep(keep)
    return filter_rows(rows, method=method, keep=amount, control=control, where=wanted)
