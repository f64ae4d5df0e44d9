"""The command `merge`: write several labelled datasets as one new dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from detreduce.cli import completion
from detreduce.cli.help import CONTENT, DATA, OUTPUT
from detreduce.cli.new_output import check_new_folder
from detreduce.cli.options import SHOWN, All, DiscardChanges, Json, Link, NoOutside, Overwrite, output_option
from detreduce.cli.output import print_json


def merge(
    datasets: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            autocompletion=completion.datasets,
            help="Two or more labelled datasets, for instance the rounds of a labelling. The formats may differ.",
        ),
    ],
    output: Annotated[Path, output_option("New folder for the merged dataset.", "FOLDER")],
    images: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help=(
                "For COCO, CVAT and Label Studio: the folder of images, if detreduce does not find it. May be "
                "repeated, once for each annotation file."
            ),
            rich_help_panel=DATA,
        ),
    ] = None,
    no_outside: NoOutside = False,
    output_format: Annotated[
        Literal["yolo", "coco"] | None,
        typer.Option(
            "--format",
            help="Format of the output. Default: coco if all datasets are COCO, else yolo.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    link: Link = "hardlink",
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Write nothing if images would be renamed, or if identical images have different labels.",
            rich_help_panel=CONTENT,
        ),
    ] = False,
    overwrite: Overwrite = False,
    discard_changes: DiscardChanges = False,
    show_all: All = False,
    as_json: Json = False,
) -> None:
    """Write several labelled datasets as one dataset, with each image once.

    All splits are merged. Classes with the same name become one class. The original datasets do not change.

    If several datasets contain the same image, the image is written once. Its labels come from the last dataset that
    has boxes for this image. If two different images share a name, the later image gets a new name. The command lists
    these images, and so does the file merge.json in the output folder.

    Example: detreduce merge round1/data.yaml round2/data.yaml --output all/
    """
    from detreduce.dataset.paths.finding import locate_dataset

    check_new_folder(output, overwrite=overwrite, discard_changes=discard_changes)
    places = [locate_dataset(one) for one in datasets]
    from detreduce.dataset.merging.merge import merge as merge_datasets

    result = merge_datasets(
        places,
        output,
        format=output_format,
        images=images or (),
        link=link,
        strict=strict,
        overwrite=overwrite,
        discard_changes=discard_changes,
    )
    if as_json:
        print_json(result.to_dict())
        return
    from detreduce.cli.show.merge import show_merged

    show_merged(result, shown=None if show_all else SHOWN)
