"""The command `duplicates`: which images show the same, and which are in more than one split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from detreduce.cli.options import SHOWN, Alike, All, Backbone, Cache, Data, Images, Json, Split
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
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Similarity from which images are the same: 0.85 (default) copies, 0.6 also frames; features 0.95.",
        ),
    ] = None,
    by: Annotated[
        Alike,
        typer.Option(
            help="Compare whole pictures, the largest box of each, features of a network, or only equal pixels."
        ),
    ] = "pixels",
    backbone: Backbone = BACKBONE,
    leakage: Annotated[bool, typer.Option(help="Look for images of one split in another, too.")] = True,
    show_all: All = False,
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """List images that show the same, and images that are in more than one split.

    Finds copies that were encoded anew, resized, brightened, cropped by a twentieth, flipped or turned by quarters.
    `--by boxes` also finds objects that were turned inside their box or put on another background. Nothing is changed;
    `detreduce reduce --drop-duplicates` leaves duplicates out. By features one split is looked at, by their cosine.

    Example: detreduce duplicates data.yaml
    """
    from detreduce.dataset.finding import find
    from detreduce.errors import InputError

    place, exact = find(data, what="dataset"), by == "exact"
    if exact and threshold is not None:
        raise InputError("--threshold is for pixels, boxes and features; equal pixels have no degrees: leave it out.")
    if by != "features" and backbone != BACKBONE:
        raise InputError(f"--backbone {backbone} is for --by features, and this is --by {by}: add or change --by.")
    from detreduce.dataset import load_dataset
    from detreduce.duplicates import exact_duplicates, leakage_report, near_duplicates
    from detreduce.duplicates.search import THRESHOLD, check_threshold

    dataset = load_dataset(place, split=split, images=images)
    if by == "features":
        from detreduce.features.extract import extract_features

        check_threshold(1.0 if threshold is None else threshold, by)
        table = extract_features(dataset, backbone=backbone, blocks=("image",), cache=cache)
        _show(dataset, near_duplicates(table, threshold=threshold, by=by), None, as_json=as_json, show_all=show_all)
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
    _show(dataset, found, report, as_json=as_json, show_all=show_all)


def _show(
    dataset: DetectionDataset, found: Duplicates, report: LeakageReport | None, *, as_json: bool, show_all: bool
) -> None:
    if as_json:
        print_json({"split": dataset.split, **found.to_dict(), "leakage": report.to_dict() if report else None})
        return
    from detreduce.cli.show.duplicates import show_duplicates, show_leakage

    shown = None if show_all else SHOWN
    show_duplicates(dataset, found, shown=shown)
    if report is not None:
        show_leakage(report, shown=shown)
