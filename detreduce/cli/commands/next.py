"""The command `next`: choose the next images of a pool to label."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detreduce.cli import completion
from detreduce.cli.help import CHOICE, DATA, DUPLICATES, FEATURES, OUTPUT
from detreduce.cli.new_output import check_new_folder
from detreduce.cli.options import (
    Backbone,
    Cache,
    DetectorConfidence,
    DetectorFile,
    DetectorSize,
    DiscardChanges,
    Every,
    Json,
    LinkOrList,
    MaxPixels,
    NoOutside,
    Overwrite,
    Parameters,
    Seed,
    Split,
    output_option,
)
from detreduce.cli.output import print_json
from detreduce.cli.values import parse_parameters, read_detector


def next_images(
    pool: Annotated[
        Path,
        typer.Argument(
            metavar="POOL",
            autocompletion=completion.datasets,
            help="The images to choose from: a folder of images, a video, or a dataset. Labels in it are not used.",
        ),
    ],
    after: Annotated[
        list[Path],
        typer.Option(
            metavar="ROUND",
            help=(
                "A round so far: a labelled dataset of any format, a folder of images for labelling, or a "
                "selection.json. May be repeated."
            ),
            rich_help_panel=CHOICE,
        ),
    ],
    count: Annotated[
        int, typer.Option("--count", "-n", metavar="NUMBER", help="Number of images to choose.", rich_help_panel=CHOICE)
    ],
    output: Annotated[Path, output_option("New folder for the chosen images.", "FOLDER")],
    parameters: Parameters = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            metavar="NAME",
            autocompletion=completion.methods,
            help=(
                "Method that chooses the images. auto uses facility, or herding with a detector. `detreduce methods` "
                "lists all methods."
            ),
            rich_help_panel=CHOICE,
        ),
    ] = "auto",
    seed: Seed = 0,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A YOLO detector, for instance one trained on the rounds so far. Its backbone computes the features.",
            rich_help_panel=FEATURES,
        ),
    ] = None,
    backbone: Backbone = "efficientnet-lite0",
    detector: DetectorFile = None,
    detector_confidence: DetectorConfidence = None,
    detector_size: DetectorSize = None,
    similarity: Annotated[
        float | None,
        typer.Option(
            "--duplicates-from",
            metavar="NUMBER",
            help="Lowest similarity of near-duplicates. Default: 0.85. For frames of a video, try 0.6.",
            rich_help_panel=DUPLICATES,
        ),
    ] = None,
    split: Split = None,
    every: Every = None,
    after_images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="For rounds in COCO, CVAT or Label Studio: the folder of images, if detreduce does not find it.",
            rich_help_panel=DATA,
        ),
    ] = None,
    max_pixels: MaxPixels = None,
    no_outside: NoOutside = False,
    cache: Cache = None,
    link: LinkOrList = "hardlink",
    overwrite: Overwrite = False,
    discard_changes: DiscardChanges = False,
    page: Annotated[
        bool,
        typer.Option(
            "--page/--no-page",
            help="Write selection.html into the output: the chosen and the other images in pictures.",
            rich_help_panel=OUTPUT,
        ),
    ] = True,
    as_json: Json = False,
) -> None:
    """Choose the next images to label, after one or more earlier rounds.

    Images of earlier rounds are not chosen again, and near-duplicates of these images are left out. The method chooses
    images that differ from the images of all earlier rounds, whether or not these are labelled.

    Example: detreduce next pool/ --after round1/ --count 200 --output round2/
    """
    from detreduce.dataset.paths.finding import locate_dataset
    from detreduce.display.progress import tell
    from detreduce.selection.request import SelectionRequest

    check_new_folder(output, overwrite=overwrite, discard_changes=discard_changes)
    own = parse_parameters(parameters or [], ("count", "seed", "random_state", "method"), example="match=mmd")
    if method != "auto":
        SelectionRequest(method, parameters=own).check_names()
    predicting = read_detector(detector, detector_confidence, detector_size)
    place = locate_dataset(pool)
    rounds = [locate_dataset(one) for one in after]
    from detreduce.reduction.next_round import next_round

    result = next_round(
        place,
        output,
        after=rounds,
        count=count,
        method=method,
        seed=seed,
        backbone=backbone,
        weights=weights,
        detector=predicting,
        split=split,
        every=every,
        after_images=after_images,
        similarity=similarity,
        link=link,
        cache=cache,
        page=page,
        overwrite=overwrite,
        discard_changes=discard_changes,
        say=tell,
        **own,
    )
    if as_json:
        print_json(result.to_dict())
        return
    from detreduce.cli.show.next import show_next_round

    show_next_round(result)
