"""The command `report`: write the results of an experiment, or the choice of a reduced dataset, as one HTML file."""

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
            "--output",
            "-o",
            metavar="FILE",
            help="The HTML file. Default: report.html, or selection.html for a reduced dataset.",
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

    For the folder of a reduced dataset, it writes the page of pictures that `detreduce reduce` writes.

    Example: detreduce report runs/demo
    """
    if is_reduced(ledger):
        _write_page(ledger, output, data, images=images, as_json=as_json, show=show)
        return
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


def is_reduced(place: Path) -> bool:
    """Return whether a path is a selection, or the folder of a reduced dataset, and not a ledger."""
    if place.is_file():
        return place.suffix == ".json"
    return (place / "selection.json").is_file() and not (place / "cells").is_dir()


def _write_page(
    place: Path, output: Path | None, data: Path | None, *, images: bool, as_json: bool, show: bool
) -> None:
    """Write the page of a selection, and print its path."""
    from detreduce.pages.write import write_selection_page

    page = write_selection_page(place, output, dataset=data, images=images)
    if as_json:
        print_json({"page": str(page), "bytes": page.stat().st_size})
    else:
        say(f"{page} ({page.stat().st_size / 1e6:.1f} MB)")
    if show:
        typer.launch(str(page))
