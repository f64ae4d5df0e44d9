"""The command `explain`: say why a selection kept or dropped an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detreduce.cli.options import Cache, Images, Json
from detreduce.cli.output import print_json


def explain(
    selection: Annotated[
        Path, typer.Argument(metavar="SELECTION", help="A selection.json, for instance from `detreduce reduce`.")
    ],
    image: Annotated[
        str, typer.Option("--image", metavar="NAME", help="Name or id of the image, or the end of its path.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="The dataset, if it was moved after the selection."),
    ] = None,
    images: Images = None,
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """Explain why a selection kept or dropped an image.

    Example: detreduce explain reduced/selection.json --image IMG_2277.jpg
    """
    from detreduce.dataset.finding import find, locate_dataset

    file = find(selection, what="selection")
    place = None if data is None else locate_dataset(data)
    from detreduce.dataset import load_dataset
    from detreduce.selection.explanation import explain as explain_image
    from detreduce.selection.record import Selection

    made = Selection.load(file)
    dataset = None
    if place is not None:
        split = made.provenance.get("dataset", {}).get("split")
        dataset = load_dataset(place, split=split, images=images)
    explanation = explain_image(made, image, dataset=dataset, cache=cache)
    if as_json:
        print_json(explanation.to_dict())
        return
    from detreduce.cli.show.explanation import show_explanation

    show_explanation(explanation, made)
