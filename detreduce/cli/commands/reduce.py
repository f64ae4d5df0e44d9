"""The command `reduce`: choose the images to keep, and write the smaller dataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from detreduce.cli import completion
from detreduce.cli.help import CHOICE, DUPLICATES, FEATURES, OUTPUT
from detreduce.cli.new_output import check_new_folder
from detreduce.cli.options import (
    Alike,
    Backbone,
    Cache,
    Data,
    DetectorConfidence,
    DetectorFile,
    DetectorSize,
    DiscardChanges,
    Every,
    Groups,
    Images,
    Json,
    LinkOrList,
    MaxPixels,
    NoOutside,
    Overwrite,
    Parameters,
    Seed,
    Split,
    file_option,
    number_option,
    output_option,
)
from detreduce.cli.output import print_json
from detreduce.cli.values import (
    duplicate_search,
    parse_class_floor,
    parse_keep,
    parse_parameters,
    read_categories,
    read_detector,
)
from detreduce.vocabulary.option_values import ALL, AUTO

Output = Annotated[
    Path,
    output_option("New folder for the reduced dataset.", "FOLDER"),
]
Method = Annotated[
    str,
    typer.Option(
        "--method",
        "-m",
        metavar="NAME",
        autocompletion=completion.methods,
        help=(
            "Method that chooses the images. auto leaves out near-duplicates and uses the recommended "
            "method. `detreduce methods` lists all methods."
        ),
        rich_help_panel=CHOICE,
    ),
]
Keep = Annotated[
    str,
    typer.Option(
        "--keep",
        "-k",
        metavar="NUMBER",
        help=(
            "How many images to keep: a fraction with a decimal point (0.25), a number (500), or all images "
            "except near-duplicates (all)."
        ),
        rich_help_panel=CHOICE,
    ),
]
Categories = Annotated[
    str,
    typer.Option(
        metavar="RULE",
        autocompletion=completion.rules,
        help=(
            "How to group images into categories: rarest, dominant, combination, none, video (each video), or a YAML "
            "file of rules."
        ),
        rich_help_panel=CHOICE,
    ),
]
Blocks = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="Kinds of features, for instance image,objects,annotations. Default: all kinds that the method can use.",
        rich_help_panel=FEATURES,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="Format of the output: yolo. Default: the format of the dataset.",
        rich_help_panel=OUTPUT,
    ),
]
MustKeep = Annotated[
    Path | None,
    file_option("Text file with one image name per line. These images are kept first.", CHOICE),
]
Exclude = Annotated[
    Path | None,
    file_option("Text file with one image name per line. These images are never kept.", CHOICE),
]
Initial = Annotated[
    Path | None,
    file_option("An earlier selection.json. Its images are kept first.", CHOICE),
]
DropDuplicates = Annotated[
    bool | None,
    typer.Option(
        "--drop-duplicates/--keep-duplicates",
        help=(
            "Leave out near-duplicates before choosing. Default: yes without --method (also with --keep all), "
            "no with --method NAME."
        ),
        rich_help_panel=DUPLICATES,
    ),
]
DropLeaked = Annotated[
    bool,
    typer.Option(
        "--drop-leaked",
        help="Leave out images that are also in val or test, as exact copies or as near-duplicates.",
        rich_help_panel=DUPLICATES,
    ),
]
DuplicatesBy = Annotated[
    Alike,
    typer.Option(
        help=(
            "What to compare: whole images (pixels), their largest boxes (boxes) or their features (features). "
            "With exact, only images with equal pixels are duplicates. With time, each frame of a video is compared "
            "with the last kept frame."
        ),
        rich_help_panel=DUPLICATES,
    ),
]
DuplicatesFrom = Annotated[
    float | None,
    number_option("Lowest similarity of duplicates. Default: 0.85, or 0.95 for features.", DUPLICATES),
]
ClassFloor = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[CLASS=]NUMBER",
        help="Minimum number of images to keep with every class (3), or with one class (bus=10). May be repeated.",
        rich_help_panel=CHOICE,
    ),
]
MaxPerGroup = Annotated[
    int | None,
    number_option("Maximum number of images to keep from each group.", CHOICE),
]
Partitions = Annotated[
    int | None,
    number_option(
        "Number of parts in which the method first chooses, to save time. Then it chooses among these images.",
        CHOICE,
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Ray cluster for the slow parts. auto: a running cluster, or else this machine. The result is the same.",
        rich_help_panel=FEATURES,
    ),
]
GpusPerTask = Annotated[
    float | None,
    number_option("With --ray: GPUs for each task. 0.25 runs four tasks on one GPU. Default: 0.", FEATURES),
]
Unreadable = Annotated[
    Literal["skip", "raise"],
    typer.Option(help="If an image cannot be read: skip it, or stop with an error.", rich_help_panel=FEATURES),
]
ProxyLog = Annotated[
    Path | None,
    file_option("Log from `detreduce proxy`, for the methods vps, forgetting, el2n, aum and gradmatch.", FEATURES),
]
Page = Annotated[
    bool,
    typer.Option(
        "--page/--no-page",
        help="Write selection.html into the output: the kept and the dropped images in pictures.",
        rich_help_panel=OUTPUT,
    ),
]
Frames = Annotated[
    str,
    typer.Option(
        "--frames",
        metavar="FORMAT",
        help="For videos: how to write the chosen frames. jpg, jpg:90 (quality 1 to 100) or png.",
        rich_help_panel=OUTPUT,
    ),
]
Details = Annotated[
    bool,
    typer.Option(
        "--details",
        help="Also print measures of how well the kept images represent the full set.",
        rich_help_panel=OUTPUT,
    ),
]


def reduce(
    data: Data,
    output: Output,
    parameters: Parameters = None,
    method: Method = "auto",
    keep: Keep = "0.25",
    seed: Seed = 0,
    categories: Categories = "rarest",
    backbone: Backbone = "efficientnet-lite0",
    blocks: Blocks = "",
    split: Split = None,
    images: Images = None,
    max_pixels: MaxPixels = None,
    no_outside: NoOutside = False,
    every: Every = None,
    link: LinkOrList = "hardlink",
    output_format: Format = None,
    must_keep: MustKeep = None,
    exclude: Exclude = None,
    initial: Initial = None,
    drop_duplicates: DropDuplicates = None,
    drop_leaked: DropLeaked = False,
    duplicates_by: DuplicatesBy = "pixels",
    duplicates_from: DuplicatesFrom = None,
    class_floor: ClassFloor = None,
    groups: Groups = None,
    max_per_group: MaxPerGroup = None,
    partitions: Partitions = None,
    unreadable: Unreadable = "skip",
    cache: Cache = None,
    proxy: ProxyLog = None,
    ray: Ray = None,
    gpus_per_task: GpusPerTask = None,
    detector: DetectorFile = None,
    detector_confidence: DetectorConfidence = None,
    detector_size: DetectorSize = None,
    overwrite: Overwrite = False,
    discard_changes: DiscardChanges = False,
    details: Details = False,
    page: Page = True,
    frames: Frames = "jpg",
    as_json: Json = False,
) -> None:
    """Choose the images to keep and write the smaller dataset.

    Example: detreduce reduce data.yaml --keep 0.25 --output reduced/
    """
    from detreduce.dataset.paths.finding import locate_dataset
    from detreduce.display.listener import listening
    from detreduce.display.progress import tell
    from detreduce.errors import InputError
    from detreduce.selection.request import CompositionRequest, SelectionRequest

    check_new_folder(output, overwrite=overwrite, discard_changes=discard_changes)
    options = ("keep", "seed", "random_state", "method", "categories")
    own = parse_parameters(parameters or [], options, example="match=mmd")
    selection = SelectionRequest(method, 1.0 if keep == ALL else parse_keep(keep), seed, parameters=own, cache=cache)
    if method != AUTO:
        selection.check_names()
    if gpus_per_task is not None and (ray is None or gpus_per_task < 0):
        raise InputError(f"--gpus-per-task {gpus_per_task:g} needs --ray ADDRESS, and must not be below 0.")
    duplicates = duplicate_search(bool(drop_duplicates), duplicates_by, duplicates_from)
    floor = parse_class_floor(class_floor or [])
    predicting = read_detector(detector, detector_confidence, detector_size)
    place = locate_dataset(data)
    from detreduce.features.request import Extraction
    from detreduce.reduction import Output as WrittenTo
    from detreduce.reduction import ReductionRequest, run_reduction
    from detreduce.selection.named_images import read_names
    from detreduce.selection.record import Selection

    earlier = Selection.load(initial) if initial else None
    composition = CompositionRequest.of(
        drop_duplicates=duplicates,
        must_keep=read_names(must_keep) if must_keep else None,
        initial=earlier,
        class_floor=floor,
        exclude=read_names(exclude) if exclude else None,
        groups=groups,
        max_per_group=max_per_group,
        partitions=partitions,
        drop_leaked=drop_leaked,
    )
    asked = [part.strip() for part in blocks.split(",")] if blocks else None
    request = ReductionRequest(
        data=place,
        output=WrittenTo(output, link, output_format, overwrite, discard_changes, frames, page=page),
        selection=replace(selection, categories=read_categories(categories), composition=composition),
        extraction=Extraction(backbone, asked, unreadable=unreadable, cache=cache, proxy=proxy),
        split=split,
        images=images,
        clean=drop_duplicates is None,
        keep_all=keep == ALL,
        every=every,
        ray=ray,
        gpus=gpus_per_task or 0.0,
        detector=predicting,
    )
    with listening(tell):
        result = run_reduction(request)
    if as_json:
        print_json(result.to_dict())
        return
    from detreduce.cli.show.selection import show_reduced

    show_reduced(result, given=str(data), images=images, details=details)
