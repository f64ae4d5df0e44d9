"""The command `report`: write the results of an experiment as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detreduce.cli.ledger_argument import open_ledger
from detreduce.cli.options import Json, LedgerFolder
from detreduce.cli.output import print_json, say
from detreduce.vocabulary.option_values import SELECTIONS_SHOWN


def report(
    ledger: LedgerFolder,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The HTML file to write. Default: report.html in the ledger."
        ),
    ] = None,
    selections: Annotated[
        int, typer.Option(min=0, metavar="NUMBER", help="Largest number of selections whose images are shown.")
    ] = SELECTIONS_SHOWN,
    images: Annotated[bool, typer.Option(help="Include small copies of the images.")] = True,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="The dataset, if it was moved after the experiment."),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Write the results of an experiment as one HTML file: findings in words, tables, charts, and kept images.

    The file does not need a network or other files, so you can send it to other people. If an experiment is still
    running, the report contains only its finished cells.

    Example: detreduce report runs/demo
    """
    opened = open_ledger(ledger)
    from detreduce.experiment.data_problems import read_problems
    from detreduce.report import write_report

    path = write_report(opened.path, output, selections=selections, images=images, dataset=data)
    problems = read_problems(opened)
    if as_json:
        found = problems.to_dict() if problems is not None else None
        print_json({"report": str(path), "bytes": path.stat().st_size, "problems": found})
    else:
        say(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
        if problems is not None:
            say(problems.line)
    if show:
        typer.launch(str(path))
