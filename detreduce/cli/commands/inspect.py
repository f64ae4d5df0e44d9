"""The command `inspect`: check the health of a dataset, and print its content and its problems."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from detreduce.cli.help import CONTENT, OUTPUT
from detreduce.cli.options import (
    SHOWN,
    All,
    Cache,
    Data,
    Every,
    Images,
    Json,
    MaxPixels,
    NoOutside,
    Split,
    output_option,
)
from detreduce.cli.output import print_json, say, say_file


def inspect(
    data: Data,
    split: Split = None,
    images: Images = None,
    max_pixels: MaxPixels = None,
    no_outside: NoOutside = False,
    every: Every = None,
    check_images: Annotated[
        bool,
        typer.Option(
            help="Open every image: find damaged images, duplicates, and images that are in two splits.",
            rich_help_panel=CONTENT,
        ),
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="NUMBER",
            help="Planned number of epochs. With --check-images: images seen for each effective image.",
            rich_help_panel=CONTENT,
        ),
    ] = None,
    page: Annotated[
        bool,
        typer.Option(
            "--page", help="Write the result as one HTML file with charts and pictures.", rich_help_panel=OUTPUT
        ),
    ] = False,
    output: Annotated[
        Path | None,
        output_option("The HTML file of --page. Default: health.html. The page of another dataset is not replaced."),
    ] = None,
    pictures: Annotated[
        bool, typer.Option(help="Include small copies of images in the HTML file.", rich_help_panel=OUTPUT)
    ] = True,
    cache: Cache = None,
    show_all: All = False,
    as_json: Json = False,
) -> None:
    """Check the health of a dataset: what is good, what to look at, and what is wrong.

    The check reads the annotations of all splits, and opens no image. It finds images that are in two splits, empty
    splits, missing and rare classes, and faults in the files. At the end, the command cites results of experiments on
    similar data.

    Example: detreduce inspect data.yaml --check-images --page
    """
    from detreduce.dataset import load_dataset
    from detreduce.dataset.health.advice import Advice, class_ratio
    from detreduce.dataset.health.checks import check_health, images_by_class
    from detreduce.dataset.health.counts import load_all_splits, summarise
    from detreduce.dataset.health.finding import overall
    from detreduce.dataset.health.leaks import find_leaks
    from detreduce.dataset.paths.finding import locate_dataset

    wanted = page or output is not None
    if wanted:
        from detreduce.pages.health_page import HealthSource, write_health_page
        from detreduce.pages.own_file import HEALTH_PAGE, check_target

        check_target(output or Path(HEALTH_PAGE), HEALTH_PAGE)
    dataset = load_dataset(locate_dataset(data), split=split, images=images, every=every)
    found = None
    if check_images:
        from detreduce.duplicates.health import check_pixels

        found = check_pixels(dataset, cache)
        dataset = replace(dataset, problems=(*dataset.problems, *found.damaged))
    splits, unloaded = load_all_splits(dataset)
    summary, leaks = summarise(dataset, (splits, unloaded)), find_leaks(splits)
    findings = check_health(summary, splits, leaks)
    if found is not None:
        findings = found.with_files(findings)
    by_class = images_by_class(dataset) if dataset.labelled else {}
    one_class = sum(map(bool, by_class.values())) == 1
    redundancy = None if found is None else found.redundancy
    advice = Advice(dataset.split, redundancy, class_ratio(by_class), epochs, one_class)
    written = None
    if wanted:
        source = HealthSource(summary, findings, leaks, splits, found, pictures, advice)
        written = write_health_page(source, output)
    if as_json:
        health: dict[str, Any] = {
            "verdict": overall(findings),
            "health": [one.to_dict() for one in findings],
            "leaks": leaks.to_dict(),
            "advice": advice.to_dict(),
        }
        if found is not None:
            health["images_checked"] = found.to_dict()
        if written is not None:
            health["page"] = str(written)
        print_json({**summary.to_pieces(), **health})
        return
    from detreduce.cli.show.dataset import show_advice, show_findings, show_next, show_summary

    show_findings(summary, findings)
    show_summary(summary, problems_shown=None if show_all else SHOWN)
    show_advice(advice)
    show_next(dataset, findings, leaks, given=str(data), opened=check_images)
    if written is not None:
        if output is None and written.name != HEALTH_PAGE:
            say(f"{HEALTH_PAGE} is the page of another dataset, so it was kept.")
        say_file(written, before="Written to ")
