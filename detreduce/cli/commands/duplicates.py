"""The command `duplicates`: list duplicates within one split and across splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from detreduce.cli.help import DUPLICATES
from detreduce.cli.options import (
    SHOWN,
    Alike,
    All,
    Backbone,
    Cache,
    Data,
    Every,
    Images,
    Json,
    MaxPixels,
    NoOutside,
    Split,
)
from detreduce.cli.output import print_json
from detreduce.display.progress import step

BACKBONE = "efficientnet-lite0"

if TYPE_CHECKING:
    from detreduce.dataset.records import DetectionDataset
    from detreduce.duplicates import Duplicates, LeakageReport


def duplicates(
    data: Data,
    split: Split = None,
    images: Images = None,
    max_pixels: MaxPixels = None,
    no_outside: NoOutside = False,
    every: Every = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help=(
                "Lowest similarity of duplicates. 0.85 finds copies, 0.6 also finds frames of a video. Default: 0.85, "
                "or 0.95 with --by features."
            ),
            rich_help_panel=DUPLICATES,
        ),
    ] = None,
    by: Annotated[
        Alike,
        typer.Option(
            help=(
                "What to compare: whole images (pixels), their largest boxes (boxes) or their features (features). "
                "With exact, only images with equal pixels are duplicates. With time, each frame of a video is "
                "compared with the last kept frame."
            ),
            rich_help_panel=DUPLICATES,
        ),
    ] = "pixels",
    backbone: Backbone = BACKBONE,
    leakage: Annotated[
        bool, typer.Option(help="Also find images that are in more than one split.", rich_help_panel=DUPLICATES)
    ] = True,
    show_all: All = False,
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """List duplicates and near-duplicates, and images that are in more than one split.

    The command finds copies that were saved again, resized, brightened, cropped by up to 5 percent, flipped, or rotated
    by 90, 180 or 270 degrees. `--by boxes` compares the largest boxes of the images. It also finds an object that was
    rotated inside its box, or that has another background. `--by features` compares images of one split by the cosine
    similarity of their features. The dataset does not change. To leave duplicates out, use `detreduce reduce
    --drop-duplicates`.

    Example: detreduce duplicates data.yaml
    """
    from detreduce.dataset.paths.finding import locate_dataset
    from detreduce.errors import InputError

    place, exact = locate_dataset(data), by == "exact"
    if exact and threshold is not None:
        raise InputError("--threshold does not apply to --by exact. Leave --threshold out.")
    if by != "features" and backbone != BACKBONE:
        raise InputError(
            f"--backbone {backbone} needs --by features, but --by is {by}. Use --by features, or leave --backbone out."
        )
    from detreduce.dataset import load_dataset
    from detreduce.duplicates import exact_duplicates, leakage_report, near_duplicates
    from detreduce.duplicates.search import THRESHOLD, check_threshold

    dataset = load_dataset(place, split=split, images=images, every=every)
    if by == "features":
        from detreduce.features.extract import extract_features

        check_threshold(1.0 if threshold is None else threshold, by)
        table = extract_features(dataset, backbone=backbone, blocks=("image",), cache=cache)
        found = near_duplicates(table, threshold=threshold, by=by)
        _show((str(data), dataset), found, None, as_json=as_json, show_all=show_all)
        return
    limit = 1.0 if exact else THRESHOLD if threshold is None else threshold
    way: Any = "pixels" if exact else by
    with step("looking for duplicates"):
        found = (
            exact_duplicates(dataset, cache=cache)
            if exact
            else near_duplicates(dataset, threshold=limit, by=way, cache=cache)
        )
    report = leakage_report(dataset, threshold=limit, by=way, cache=cache) if leakage else None
    _show((str(data), dataset), found, report, as_json=as_json, show_all=show_all)


def _show(
    searched: tuple[str, DetectionDataset],
    found: Duplicates,
    report: LeakageReport | None,
    *,
    as_json: bool,
    show_all: bool,
) -> None:
    """Print the duplicates in a split and the leaks between splits, as text or as JSON.

    `searched` is a pair: the dataset argument as the user typed it, and the loaded dataset.
    """
    given, dataset = searched
    if as_json:
        print_json({"split": dataset.split, **found.to_dict(), "leakage": report.to_dict() if report else None})
        return
    from detreduce.cli.show.duplicates import show_duplicates

    show_duplicates(dataset, found, report, given=given, shown=None if show_all else SHOWN)
