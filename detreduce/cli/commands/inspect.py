"""The command `inspect`: show the content and the problems of a dataset."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from detreduce.cli.help import CONTENT
from detreduce.cli.options import SHOWN, All, Data, Images, Json, MaxPixels, NoOutside, Split
from detreduce.cli.output import print_json


def inspect(
    data: Data,
    split: Split = None,
    images: Images = None,
    max_pixels: MaxPixels = None,
    no_outside: NoOutside = False,
    check_images: Annotated[
        bool, typer.Option(help="Open every image and list the images that cannot be read.", rich_help_panel=CONTENT)
    ] = False,
    show_all: All = False,
    as_json: Json = False,
) -> None:
    """Show the content and the problems of a dataset.

    Example: detreduce inspect data.yaml --split val
    """
    from detreduce.dataset import load_dataset
    from detreduce.dataset.checks import check_images as find_unreadable
    from detreduce.dataset.checks import summarise
    from detreduce.dataset.finding import locate_dataset

    dataset = load_dataset(locate_dataset(data), split=split, images=images)
    if check_images:
        dataset = replace(dataset, problems=(*dataset.problems, *find_unreadable(dataset)))
    summary = summarise(dataset)
    if as_json:
        print_json(summary.to_pieces())
        return
    from detreduce.cli.show.dataset import show_summary

    show_summary(summary, problems_shown=None if show_all else SHOWN)
