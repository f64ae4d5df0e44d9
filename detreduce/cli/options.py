"""Options and arguments that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from detreduce.cli import completion
from detreduce.cli.help import CHOICE, DATA, EVALUATION, FEATURES, OUTPUT, RECIPE, TRAINING

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        autocompletion=completion.datasets,
        help=(
            "The dataset: data.yaml, COCO JSON, VOC folder, CVAT or Label Studio export, folder of images, video, "
            "folder of videos, or a name, for instance coco8.yaml."
        ),
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="For COCO, CVAT and Label Studio: the folder of images, if detreduce does not find it.",
        rich_help_panel=DATA,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.splits,
        help="The split: train, val or test. Default: train, or the split that a COCO JSON contains.",
        rich_help_panel=DATA,
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help=(
            "Folder that caches features, and small images for the search for duplicates. Default: the user's cache "
            "folder."
        ),
        rich_help_panel=DATA,
    ),
]


def _limit_pixels(context: typer.Context, value: int | None) -> int | None:
    """Apply the pixel limit until the command ends, and return `value` unchanged."""
    if value is not None:
        from detreduce.machine.untrusted.image_files import VARIABLE, check_limit

        _set_for_command(context, VARIABLE, str(check_limit(value)))
    return value


def _refuse_outside(context: typer.Context, value: bool) -> bool:
    """If `value` is True, refuse files outside the dataset until the command ends. Return `value` unchanged."""
    if value:
        from detreduce.dataset.paths.outside import VARIABLE

        _set_for_command(context, VARIABLE, "1")
    return value


def _set_for_command(context: typer.Context, name: str, value: str) -> None:
    """Set an environment variable for this command and its child processes. When the command ends, restore the old
    value.
    """
    before = os.environ.get(name)

    def restore() -> None:
        """Set the variable to its old value."""
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before

    context.call_on_close(restore)
    os.environ[name] = value


Every = Annotated[
    str | None,
    typer.Option(
        "--every",
        metavar="STEP",
        help="For videos: use one frame every 0.5s (seconds) or every 10 (frames). Default: 0.5s.",
        rich_help_panel=DATA,
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        callback=_limit_pixels,
        help="Images with more pixels are not decoded. Default: 178956970, the limit of Pillow and ultralytics.",
        rich_help_panel=DATA,
    ),
]
NoOutside = Annotated[
    bool,
    typer.Option(
        "--no-outside",
        callback=_refuse_outside,
        help="Leave out images and labels that a link or a path takes from outside the dataset's folder.",
        rich_help_panel=DATA,
    ),
]

Model = Annotated[
    str,
    typer.Option(
        metavar="FILE", help="Detector to train: weights (.pt) or an architecture (.yaml).", rich_help_panel=TRAINING
    ),
]
TrainingSeed = Annotated[
    int, typer.Option("--seed", metavar="NUMBER", help="Seed of the training.", rich_help_panel=TRAINING)
]
Country = Annotated[
    str,
    typer.Option(
        metavar="CODE",
        help="Country whose electricity mix converts energy to CO2 (ISO 3166 alpha-3).",
        rich_help_panel=EVALUATION,
    ),
]
UltralyticsArguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME=VALUE", help="Training arguments of ultralytics, for instance epochs=50 imgsz=640."),
]

Seed = Annotated[int, typer.Option(metavar="NUMBER", help="Seed of every random choice.", rich_help_panel=CHOICE)]
Groups = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help=(
            "Which images form a group, for instance a video. folder: each folder is a group. Or a regular expression "
            r"for image names. The text in its parentheses is the group: '(.+)_\d+' puts clip7_001.jpg into the group "
            "clip7."
        ),
        rich_help_panel=CHOICE,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace an output folder that detreduce wrote and nobody changed.", rich_help_panel=OUTPUT
    ),
]

SelectedFrom = Annotated[
    Path | None,
    typer.Option(metavar="DATA", help="The dataset, if it was moved after the selection.", rich_help_panel=DATA),
]
Parameters = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE",
        autocompletion=completion.parameters,
        help="Parameters of the method, for instance start=center.",
    ),
]
OverwriteAny = Annotated[
    bool, typer.Option("--overwrite", help="Replace an existing file or folder.", rich_help_panel=OUTPUT)
]
Link = Annotated[
    Literal["hardlink", "symlink", "copy"],
    typer.Option(help="How to put images into the output folder.", rich_help_panel=OUTPUT),
]
LinkOrList = Annotated[
    Literal["hardlink", "symlink", "copy", "list"],
    typer.Option(help="How to put images into the output folder.", rich_help_panel=OUTPUT),
]

LedgerFolder = Annotated[
    Path,
    typer.Argument(
        metavar="LEDGER",
        autocompletion=completion.ledgers,
        help="Folder with the results of an experiment, for instance runs/demo.",
    ),
]
DiscardChanges = Annotated[
    bool,
    typer.Option(
        "--discard-changes",
        help="With --overwrite: also delete files in the output folder that others wrote or changed.",
        rich_help_panel=OUTPUT,
    ),
]

AllowLeaks = Annotated[
    bool,
    typer.Option(
        "--allow-leaks",
        help="Train although images of val or test are also in train. The mAP is then too high.",
        rich_help_panel=DATA,
    ),
]


def number_option(help: str, panel: str = RECIPE) -> Any:
    """Return an option that takes a number, with its help text and its panel in the help of the command."""
    return typer.Option(metavar="NUMBER", help=help, rich_help_panel=panel)


def file_option(help: str, panel: str = RECIPE) -> Any:
    """Return an option that takes a file, with its help text and its panel in the help of the command."""
    return typer.Option(metavar="FILE", help=help, rich_help_panel=panel)


def output_option(help: str, metavar: str = "FILE") -> Any:
    """Return the option `--output`, which names the file or folder to write. `help` is the help text of this option."""
    return typer.Option("--output", "-o", metavar=metavar, help=help, rich_help_panel=OUTPUT)


Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.", rich_help_panel=OUTPUT)]
All = Annotated[bool, typer.Option("--all", help="List all entries instead of the first 20.", rich_help_panel=OUTPUT)]
Alike = Literal["pixels", "boxes", "features", "exact", "time"]
Backbone = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=(
            "Source of image features: efficientnet-lite0, yolo:weights.pt, torchvision:name, or file:vectors.npy "
            "(your own features)."
        ),
        rich_help_panel=FEATURES,
    ),
]

DetectorFile = Annotated[
    Path | None,
    typer.Option(
        "--detector",
        metavar="FILE",
        help=(
            "Weights of a YOLO detector. The boxes that it predicts replace labels while images are chosen. Only name "
            "weights that you trust: loading them can run code."
        ),
        rich_help_panel=FEATURES,
    ),
]
DetectorConfidence = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="Lowest confidence of a predicted box. Default: 0.25.",
        rich_help_panel=FEATURES,
    ),
]
DetectorSize = Annotated[
    int | None,
    typer.Option(
        metavar="PIXELS",
        help="Longer side of the detector's input, a multiple of 32. Default: 640.",
        rich_help_panel=FEATURES,
    ),
]

SHOWN = 20
