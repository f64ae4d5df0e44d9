"""The command `split`: hold out images of train as a new val or test split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detreduce.cli.help import CHOICE
from detreduce.cli.new_output import check_new_folder
from detreduce.cli.options import (
    Cache,
    Data,
    DiscardChanges,
    Groups,
    Images,
    Json,
    Link,
    MaxPixels,
    NoOutside,
    Overwrite,
    Seed,
    output_option,
)
from detreduce.cli.output import print_json
from detreduce.cli.values import parse_keep


def split(
    data: Data,
    output: Annotated[Path, output_option("New folder for the dataset with the new split.", "FOLDER")],
    val: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help=(
                "Images of train that become val: a fraction (0.2) or a number (200). Default: 0.2, unless there is a "
                "val split or --test is used."
            ),
            rich_help_panel=CHOICE,
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Images of train that become test.", rich_help_panel=CHOICE),
    ] = None,
    seed: Seed = 0,
    groups: Groups = None,
    images: Images = None,
    max_pixels: MaxPixels = None,
    no_outside: NoOutside = False,
    link: Link = "hardlink",
    cache: Cache = None,
    overwrite: Overwrite = False,
    discard_changes: DiscardChanges = False,
    as_json: Json = False,
) -> None:
    """Hold out images of train as a new val or test split, for data without one.

    Near-duplicates stay in the same split, so that no image of val is a copy of an image of train. Images of one group
    (--groups) also stay together. Each split gets about the same mix of classes. The whole dataset is written to a new
    folder, and the original dataset does not change.

    Example: detreduce split data.yaml --val 0.2 --output with-val/
    """
    from detreduce.dataset.paths.finding import locate_dataset
    from detreduce.display.listener import listening
    from detreduce.display.progress import tell

    check_new_folder(output, overwrite=overwrite, discard_changes=discard_changes)
    sizes = [None if text is None else parse_keep(text, f"--{name}") for name, text in (("val", val), ("test", test))]
    place = locate_dataset(data)
    from detreduce.dataset.load import load_dataset
    from detreduce.splitting import split_dataset

    dataset = load_dataset(place, split="train", images=images)
    with listening(tell):
        result = split_dataset(
            dataset,
            output,
            *sizes,
            seed,
            groups=groups,
            link=link,
            cache=cache,
            overwrite=overwrite,
            discard_changes=discard_changes,
        )
    if as_json:
        print_json(result.to_dict())
        return
    from detreduce.cli.show.split import show_split

    show_split(result)
