"""The command `table`: choose rows of a CSV or Parquet file."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Annotated

import typer

from detreduce.cli.help import CHOICE, CONTENT, DATA, OUTPUT
from detreduce.cli.new_output import check_new_file
from detreduce.cli.options import Json, Seed, output_option
from detreduce.cli.output import print_json
from detreduce.cli.values import parse_keep, parse_parameters


def table(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="The table: a CSV or Parquet file.")],
    output: Annotated[Path, output_option("New file for the kept rows, in the same format.")],
    parameters: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE", help="Parameters of the method, for instance start=center."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="COLUMN",
            help="The column to predict. Each class, or each range of a number, keeps its share of the rows.",
            rich_help_panel=CONTENT,
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="COLUMN",
            help="A column that is no feature, such as an id. Can be repeated.",
            rich_help_panel=CONTENT,
        ),
    ] = None,
    strata: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="classes: each value of the target is a class. A number: that many ranges. auto: classes, or 10 "
            "ranges if the target has too many different numbers for classes.",
            rich_help_panel=CONTENT,
        ),
    ] = "auto",
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How to choose rows. Any method that needs only features, such as srs (at random), clc, mms or prd.",
            rich_help_panel=CHOICE,
        ),
    ] = "srs",
    keep: Annotated[
        str,
        typer.Option(
            metavar="NUMBER", help="Rows to keep: a fraction (0.25, 25%) or a number (500).", rich_help_panel=CHOICE
        ),
    ] = "0.25",
    seed: Seed = 0,
    delimiter: Annotated[
        str | None,
        typer.Option(
            metavar="CHARACTER", help="The character between cells of a CSV file. Default: found.", rich_help_panel=DATA
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.", rich_help_panel=OUTPUT)
    ] = False,
    as_json: Json = False,
) -> None:
    """Choose rows of a table, and write them to a new file.

    The kept rows of a CSV file are copied byte for byte, in the order of the file. The first line must name the
    columns. Columns of numbers are scaled to 0..1, and each text becomes a column of 0 and 1.

    Example: detreduce table data.csv --target y --method mms --keep 0.2 --output small.csv
    """
    if os.path.realpath(output) != os.path.realpath(source):
        check_new_file(output, overwrite=overwrite)
    own = parse_parameters(parameters or [], (*inspect.signature(table).parameters, "random_state"), "start=center")
    amount = parse_keep(keep, noun="rows")
    rule = int(strata) if strata.strip().isdecimal() and len(strata) < 20 else strata
    from detreduce.tables import reduce_table

    result = reduce_table(
        source,
        output,
        method,
        amount,
        seed,
        target=target,
        ignore=ignore or (),
        strata=rule,
        delimiter=delimiter,
        overwrite=overwrite,
        **own,
    )
    if as_json:
        print_json(result.to_dict())
        return
    from detreduce.cli.show.table import show_table_reduction

    show_table_reduction(result)
