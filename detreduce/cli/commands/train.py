"""The command `train`: train a detector, and measure its mAP and the energy of the training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from detreduce.cli.help import EVALUATION, TRAINING
from detreduce.cli.new_output import check_empty_folder
from detreduce.cli.options import (
    AllowLeaks,
    Country,
    Data,
    Images,
    Json,
    Model,
    TrainingSeed,
    UltralyticsArguments,
    file_option,
    number_option,
    output_option,
)
from detreduce.cli.output import print_json
from detreduce.cli.values import training_arguments


def train(
    data: Data,
    arguments: UltralyticsArguments = None,
    model: Model = "yolo11n.pt",
    recipe: Annotated[
        Path | None,
        file_option(
            "YAML file with a recipe: subset, stream, images_seen, batch, freeze and more. Default: all images, "
            "once per epoch.",
            TRAINING,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        output_option("Folder for the results. Default: a new folder in runs/train.", "FOLDER"),
    ] = None,
    images: Images = None,
    seed: TrainingSeed = 0,
    choose: Annotated[
        Literal["last", "best"],
        typer.Option(
            help="Weights to evaluate: from the last epoch, or from the best epoch on val.", rich_help_panel=EVALUATION
        ),
    ] = "last",
    evaluate_on: Annotated[
        Literal["auto", "val", "test", "val+test"],
        typer.Option(
            "--on",
            help="Split for the evaluation. auto: test if there is a test split, else val.",
            rich_help_panel=EVALUATION,
        ),
    ] = "auto",
    country: Country = "ESP",
    images_per_epoch: Annotated[
        int | None,
        number_option(
            "Number of images in one epoch. Later epochs use the other images. Default: all images.", TRAINING
        ),
    ] = None,
    evaluation_plots: Annotated[
        bool,
        typer.Option(
            "--plots/--no-plots",
            help="Write ultralytics' plots of the evaluation: curves of precision and recall, and a confusion matrix.",
            rich_help_panel=EVALUATION,
        ),
    ] = True,
    corruptions: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Also evaluate on corrupted images: noise, blur, brightness, jpeg (with commas between), or all.",
            rich_help_panel=EVALUATION,
        ),
    ] = "",
    allow_leaks: AllowLeaks = False,
    as_json: Json = False,
) -> None:
    """Train a detector, and measure the energy and the mAP.

    Ultralytics and pycocotools compute the mAP from the same predictions.

    Example: detreduce train reduced/data.yaml --model yolo11n.pt epochs=50 imgsz=640
    """
    check_empty_folder(output)
    from detreduce.dataset.paths.finding import locate_dataset
    from detreduce.display.listener import listening
    from detreduce.display.progress import tell
    from detreduce.training.harness import train as run_training

    given = training_arguments(arguments, train)
    with listening(tell):
        record = run_training(
            locate_dataset(data),
            model=model,
            recipe=recipe,
            output=output,
            seed=seed,
            choose=choose,
            evaluate_on=evaluate_on,
            country=country,
            images=images,
            images_per_epoch=images_per_epoch,
            # plots=False is an argument of ultralytics that turns off all plots
            evaluation_plots=evaluation_plots and given.get("plots") is not False,
            allow_leaks=allow_leaks,
            corruptions=corruptions or (),
            **given,
        )
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    from detreduce.cli.show.training import show_record, show_too_short

    show_record(record)
    options = ["--model", model] + (["--images", str(images)] if images else [])
    options += ["--recipe", str(recipe)] if recipe else []
    options += ["--images-per-epoch", str(images_per_epoch)] if images_per_epoch else []
    show_too_short(record, [str(data), *options, *(arguments or [])])
