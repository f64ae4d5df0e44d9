"""The command `weights`: write the weight of each image, which says how often a training draws the image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detreduce.cli.help import DUPLICATES, OUTPUT, TRAINING
from detreduce.cli.new_output import check_new_file, check_new_folder
from detreduce.cli.options import (
    Cache,
    Data,
    Images,
    Json,
    MaxPixels,
    NoOutside,
    OverwriteAny,
    Split,
    file_option,
    number_option,
)
from detreduce.cli.output import print_json
from detreduce.vocabulary.option_values import WeightsBy, WeightsForm


def weights(
    data: Data,
    by: Annotated[
        WeightsBy,
        typer.Option(
            help=(
                "class_uniform: each class is in about the same number of drawn images. cluster_balanced: each cluster "
                "of near-duplicates is drawn equally often. weights: the weights in --file."
            ),
            rich_help_panel=TRAINING,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="PATH", help="The CSV file, or the folder of the list.", rich_help_panel=OUTPUT
        ),
    ],
    form: Annotated[
        WeightsForm,
        typer.Option(
            "--as",
            help="csv: a table to edit or to train on with detreduce. list: repeated lines to train on with `yolo`.",
            rich_help_panel=OUTPUT,
        ),
    ] = "csv",
    power: Annotated[
        float,
        number_option("Exponent of the weights. Below 1, the weights differ less. 0.5 is common.", TRAINING),
    ] = 1.0,
    times_classes: Annotated[
        bool,
        typer.Option(
            "--times-classes",
            help="With cluster_balanced: multiply each weight by the image's weight in class_uniform.",
            rich_help_panel=TRAINING,
        ),
    ] = False,
    threshold: Annotated[
        float | None,
        number_option(
            "With cluster_balanced: lowest similarity of near-duplicates. 0.6 also finds frames of a video. "
            "Default: 0.85.",
            DUPLICATES,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        file_option("With weights: a CSV file with the columns image and weight.", TRAINING),
    ] = None,
    lines: Annotated[
        int | None,
        number_option(
            "With --as list: number of lines. Default: every image at least once, but at most 10 lines per image.",
            OUTPUT,
        ),
    ] = None,
    split: Split = None,
    images: Images = None,
    max_pixels: MaxPixels = None,
    no_outside: NoOutside = False,
    cache: Cache = None,
    overwrite: OverwriteAny = False,
    as_json: Json = False,
) -> None:
    """Give each image a weight, for a training that draws some images more often than others.

    A training draws each image in proportion to its weight. Only images with weight 0 are left out.

    Example: detreduce weights data.yaml --by class_uniform --output weights.csv
    """
    from detreduce.dataset.paths.finding import locate_dataset
    from detreduce.errors import InputError
    from detreduce.training.streams.stream import Stream

    if lines is not None and form != "list":
        raise InputError("--lines needs --as list. Add --as list, or leave --lines out.")
    if by == "weights" and file is None:
        raise InputError("--by weights needs the table of weights. Add --file FILE.")
    if form == "csv":
        check_new_file(output, overwrite=overwrite)
    else:
        check_new_folder(output, overwrite=overwrite, discard_changes=False)
    stream = Stream.of(
        {
            "by": by,
            "power": power,
            "times_classes": times_classes,
            "threshold": threshold,
            "file": None if file is None else str(file),
        }
    )
    place = locate_dataset(data)
    from detreduce.dataset import load_dataset
    from detreduce.exports.stream_weights import check_weights_output, stream_weights

    dataset = load_dataset(place, split=split, images=images)
    check_weights_output(dataset, output, form, overwrite=overwrite)
    found = stream_weights(dataset, stream, cache=cache)
    counts = found.lines(lines) if form == "list" else None
    written = found.write(output, form, lines=counts, overwrite=overwrite)
    from detreduce.cli.show.weights import show_weights, weights_json

    if as_json:
        print_json(weights_json(found, written, counts))
        return
    show_weights(found, written, counts)
