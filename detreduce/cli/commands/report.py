"""The command `report`: write the results of an experiment as one HTML file.

For the folder of a reduced dataset, it writes the page with pictures of the kept and the dropped images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detreduce.cli.help import CONTENT, DATA, OUTPUT
from detreduce.cli.ledger_argument import open_ledger
from detreduce.cli.options import Json, LedgerFolder, output_option
from detreduce.cli.output import print_json, say, say_file
from detreduce.errors import InputError
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.vocabulary.option_values import SELECTIONS_SHOWN, ReportForm


def report(
    ledger: LedgerFolder,
    output: Annotated[
        Path | None,
        output_option(
            "The HTML file. Default: report.html, or selection.html for a reduced dataset. "
            "With --as paper: a .csv, .md or .tex file."
        ),
    ] = None,
    form: Annotated[
        ReportForm,
        typer.Option(
            "--as",
            help="The HTML page, or the tables of arXiv 2403.15150: mAP, epsilon (largest gap), time and CO2.",
            rich_help_panel=CONTENT,
        ),
    ] = "page",
    selections: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="NUMBER",
            help="Largest number of selections whose images are shown.",
            rich_help_panel=CONTENT,
        ),
    ] = SELECTIONS_SHOWN,
    images: Annotated[bool, typer.Option(help="Include small copies of the images.", rich_help_panel=CONTENT)] = True,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="The dataset, if it was moved after the experiment.", rich_help_panel=DATA),
    ] = None,
    show: Annotated[
        bool, typer.Option("--open", help="Open the report in the browser.", rich_help_panel=OUTPUT)
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the results of an experiment as one HTML file: findings in words, tables, charts, and kept images.

    The file does not need a network or other files, so you can send it to other people. If an experiment is still
    running, the report contains only its finished cells.

    The argument can also be the folder of a reduced dataset. Then the command writes the page with pictures of the kept
    and the dropped images.

    With --as paper, the command prints the tables of arXiv 2403.15150. If --output is given, it writes them to this
    file.

    Example: detreduce report runs/demo
    """
    if form == "paper":
        _give_tables(ledger, output, data, as_json=as_json, show=show)
        return
    if is_reduced(ledger):
        _write_page(ledger, output, data, images=images, as_json=as_json, show=show)
        return
    opened = open_ledger(ledger, also=", or a folder that `detreduce reduce` wrote")
    from detreduce.cli.show.leaks import show_leaks
    from detreduce.experiment.data_problems import read_problems
    from detreduce.experiment.ledger.unfinished import unfinished_in_words
    from detreduce.experiment.searches.leaks import ledger_warning
    from detreduce.report import write_report

    path = write_report(opened.path, output, selections=selections, images=images, dataset=data)
    problems, leaks = read_problems(opened), ledger_warning(opened)
    if as_json:
        found = problems.to_dict() if problems is not None else None
        told = leaks.to_dict() if leaks is not None else None
        print_json({"report": str(path), "bytes": path.stat().st_size, "problems": found, "leaks": told})
    else:
        show_leaks(leaks)
        say_file(path, f" ({path.stat().st_size / 1e6:.1f} MB)")
        if problems is not None and problems.line:
            say(problems.line)
        if unfinished := unfinished_in_words(opened):
            say(unfinished)
    if show:
        typer.launch(str(path))


def _give_tables(place: Path, output: Path | None, data: Path | None, *, as_json: bool, show: bool) -> None:
    """Print the tables of arXiv 2403.15150, or write them to the file `output` and print its path."""
    if show and output is None:
        from detreduce.dataset.paths.output_name import free_name

        raise InputError(f"--open needs a file: pass --output as well, for example --output {free_name('paper.md')}.")
    opened = open_ledger(place)
    from detreduce.report.paper import paper_tables, paper_target, write_paper_tables

    if output is not None:
        output = paper_target(output)
    tables = paper_tables(opened, data)
    written = None if output is None else write_paper_tables(tables, output)
    if as_json:
        print_json({**tables.to_dict(), "written": None if written is None else str(written)})
    elif written is not None:
        say(str(written))
    else:
        from detreduce.cli.show.paper import show_paper

        show_paper(tables)
    if show:
        typer.launch(str(written))


def is_reduced(place: Path) -> bool:
    """Return whether a path is a selection file or the folder of a reduced dataset."""
    if is_regular(place):
        return place.suffix == ".json"
    return is_regular(place / "selection.json") and not (place / "cells").is_dir()


def _write_page(
    place: Path, output: Path | None, data: Path | None, *, images: bool, as_json: bool, show: bool
) -> None:
    """Write the page of a selection, and print the path of the page."""
    from detreduce.pages.write import write_selection_page

    page = write_selection_page(place, output, dataset=data, images=images)
    if as_json:
        print_json({"page": str(page), "bytes": page.stat().st_size})
    else:
        say_file(page, f" ({page.stat().st_size / 1e6:.1f} MB)")
    if show:
        typer.launch(str(page))
