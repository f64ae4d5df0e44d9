"""The command `explain`: print why a selection kept or dropped an image."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detreduce.cli.help import CONTENT
from detreduce.cli.options import Cache, Images, Json, SelectedFrom
from detreduce.cli.output import print_json, say_file
from detreduce.cli.selection_argument import open_selection
from detreduce.machine.untrusted.regular_files import is_regular

if TYPE_CHECKING:
    from detreduce.dataset.records import DetectionDataset


def explain(
    selection: Annotated[
        Path, typer.Argument(metavar="SELECTION", help="A selection.json, for instance from `detreduce reduce`.")
    ],
    image: Annotated[
        str | None,
        typer.Option(
            "--image",
            metavar="NAME",
            help="Name or id of the image, or the end of its path. Without --image, the page of pictures opens.",
            rich_help_panel=CONTENT,
        ),
    ] = None,
    data: SelectedFrom = None,
    images: Images = None,
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """Explain why a selection kept or dropped an image. Without --image, open the selection's page of pictures.

    Example: detreduce explain reduced/selection.json --image IMG_2277.jpg
    """
    file, made, dataset = open_selection(selection, data, images)
    if image is None:
        _open_page(file, dataset, cache, as_json)
        return
    from detreduce.selection.explanation import explain as explain_image

    explanation = explain_image(made, image, dataset=dataset, cache=cache)
    if as_json:
        print_json(explanation.to_dict())
        return
    from detreduce.cli.show.explanation import show_explanation

    show_explanation(explanation, made)


def _open_page(file: Path, dataset: DetectionDataset | None, cache: Path | None, as_json: bool) -> None:
    """Print the path of the page that shows a selection, and open the page if stdout is a terminal.

    If the page does not exist, or is older than the selection, write it first.
    """
    from detreduce.pages.own_file import is_own
    from detreduce.pages.selection.page import SELECTION_PAGE
    from detreduce.pages.write import write_selection_page

    page = file.with_name(SELECTION_PAGE)
    if not is_regular(page) or not is_own(page) or page.stat().st_mtime < file.stat().st_mtime:
        page = write_selection_page(file, dataset=dataset, cache=cache)
    if as_json:
        print_json({"page": str(page)})
        return
    say_file(page)
    if sys.stdout.isatty():
        typer.launch(str(page))
