"""Print the results of the command `reduce`: the kept images, and how well they represent the full set."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from detreduce.cli.show import terminal
from detreduce.cli.show.labelling import show_labelling
from detreduce.cli.show.terminal import READABLE, most_common, share, show_problems, show_table, show_text, table_of
from detreduce.dataset.suggested_command import data_words, split_command
from detreduce.display.numbers import counted
from detreduce.selection.estimates import estimates_in_words
from detreduce.selection.steps_in_words import steps_in_words

if TYPE_CHECKING:
    from detreduce.reduction import ReductionResult
    from detreduce.representativeness import Representativeness
    from detreduce.selection.record import Selection

# field of Representativeness -> name of the measure in the output
MEASURES = {
    "epsilon": "epsilon",
    "covering_radius": "covering radius",
    "coverage": "coverage",
    "discrepancy": "discrepancy",
    "diagram_distance": "diagram distance",
    "class_divergence": "class divergence",
    "size_divergence": "size divergence",
}
NOT_LOOKED_FOR = "There was no search for near-duplicates. --drop-duplicates leaves them out."
NOT_COMPARED = (
    "Images of {} were not compared with train, except by their files. --drop-leaked compares them by pixels."
)
KEEP_BACKGROUND = "To keep background images, name them in a text file, and add --must-keep FILE."
PIN_ON_PAGE = ' The page of pictures can write this file: choose the filter "no boxes", and pin the images to keep.'
FOR_YOLO = "The command `yolo` cannot read this format. To train with `yolo`, add --format yolo."
# a sentence with more names would be too long
MOST_NAMES = 12
SHAPES = {0: "gaps", 1: "loops"}


def show_reduced(result: ReductionResult, *, given: str, images: Path | None = None, details: bool = False) -> None:
    """Print what was kept, the classes of the full set and of the subset, and the next command.

    `given` is the dataset as the user typed it, for use in printed commands. `images` is the folder of images, if the
    user typed one. With `details`, also print the image categories and how well the kept images represent the full set.
    """
    selection, report, measured = result.selection, result.report, result.representativeness
    out = terminal.console()
    complete = all(row.images_kept for row in report.classes if row.images_full)
    show_text(out, " ".join(_outcome(result)), style="green" if complete else "yellow")
    out.print(f"Written to {result.output}", soft_wrap=True)
    if report.classes:
        table = table_of("class", "images", "kept", "share", "boxes", "kept", "share", right=6)
        for row in most_common(report.classes, [row.boxes_full for row in report.classes]):
            counts = [f"{row.images_full}", f"{row.images_kept}", share(row.images_kept, row.images_full)]
            counts += [f"{row.boxes_full}", f"{row.boxes_kept}", share(row.boxes_kept, row.boxes_full)]
            table.add_row(row.name, *counts)
        show_table(out, table)
        if more := len(report.classes) - table.row_count:
            out.print(f"... and {more} rarer classes. --json lists all classes.")
    if details:
        _show_categories(out, measured)
        show_representativeness(out, measured)
    if report.background_full and not report.background_kept:
        show_text(out, KEEP_BACKGROUND + PIN_ON_PAGE * (result.page is not None), style="dim")
    for line in _copies_kept(selection):
        show_text(out, line, style="yellow")
    if estimates := estimates_in_words(selection.provenance):
        show_text(out, estimates)
    if not _left_out(selection):
        show_text(out, NOT_LOOKED_FOR, style="dim")
        split = str(selection.provenance.get("dataset", {}).get("split", "train"))
        words = data_words(given, images, split)
        command = shlex.join(["detreduce", "duplicates", *words])
        # print a command on one line, so that it can be copied
        out.print(f"List near-duplicates: {command}", style="dim", soft_wrap=True)
    elif others := _not_compared(result):
        show_text(out, NOT_COMPARED.format(others), style="dim")
    show_problems(out, result.problems)
    for name, count in report.licences:
        show_text(out, f"Licence: {name}: {counted(count, 'image')}")
    if not details:
        show_text(out, "--details prints how well the kept images represent the full set.", style="dim")
    _show_next(out, result)
    if result.page is not None:
        out.print(f"Pictures of kept and dropped images: {result.page}", soft_wrap=True)


def _show_next(out: Console, result: ReductionResult) -> None:
    """Print the next command for a dataset with labels, or what to do with images without labels."""
    if result.dataset.labelled:
        if result.dataset.source.format != "yolo":
            show_text(out, FOR_YOLO, style="dim")
        data = shlex.quote(str(result.dataset.source.path))
        # print a command on one line, so that it can be copied
        train = f"train {data} --model yolo11n.pt epochs=50 imgsz=640"
        # `train` would refuse a dataset with leaks, and could not evaluate a dataset without a val or test split
        following = f"detreduce {f'inspect {data}' if result.leaks else train}"
        splits = result.dataset.source.splits
        if result.dataset.split == "train" and all(
            splits.get(one) in (None, splits["train"]) for one in ("val", "test")
        ):
            following = split_command(result.dataset)
        out.print(f"Next: {following}", soft_wrap=True)
    else:
        show_labelling(out, result.output)


def _outcome(result: ReductionResult) -> Iterator[str]:
    """Yield sentences about the result: the number of kept images, the method, and the missing classes.

    Further sentences describe the kept groups, and each step that left out images.
    """
    selection, classes = result.selection, [row for row in result.report.classes if row.images_full]
    match = str(selection.parameters.get("match", "")).replace("_", " ")
    method = f"{selection.method} ({match})" if match else selection.method
    kept = f"{len(selection):,} of {len(selection.scores):,} images kept"
    if selection.keeps_all:
        yield f"{kept}: all remaining images."
    else:
        yield f"{kept} by {method}."
    lost = [row.name for row in classes if not row.images_kept]
    kept_empty, empty = result.report.background_kept, result.report.background_full
    images = f"{kept_empty:,} of {empty:,} background images." if empty else ""
    if lost:
        named = ", ".join(lost[:MOST_NAMES]) + f" and {len(lost) - MOST_NAMES} more" * (len(lost) > MOST_NAMES)
        yield f"{len(classes) - len(lost)} of {len(classes)} classes present; without {named}."
        yield images
    elif classes:
        every = "The one class" if len(classes) == 1 else f"All {len(classes)} classes"
        yield f"{every} present{'; ' + images if images else '.'}"
    if result.groups is not None:
        kept, full = result.groups
        yield f"{f'All {full:,}' if kept == full else f'{kept:,} of {full:,}'} groups represented."
    yield from steps_in_words(selection)


def _show_categories(out: Console, measured: Representativeness) -> None:
    """Print the number of images in each category, and how well the kept images represent the category."""
    by_features = measured.epsilon is not None
    more = ("epsilon", "covering radius", "coverage") if by_features else ()
    table = table_of("category", "images", "kept", "share", *more, right=3 + len(more))
    for one in measured.categories:
        cells = [one.name, f"{one.images}", f"{one.kept}", share(one.kept, one.images)]
        if by_features:
            cells += [_digits(one.epsilon), _digits(one.covering_radius), _percentage(one.coverage)]
        table.add_row(*cells)
    show_table(out, table)


def show_representativeness(out: Console, measured: Representativeness) -> None:
    """Print how well a selection represents the full set: each measure with its value, a comparison and its meaning."""
    if measured.lost:
        lost = ", ".join(f"{one.name} ({counted(one.images, 'image')})" for one in measured.categories if not one.kept)
        out.print(f"No image is kept of these categories: {lost}. Keep more images, or use fewer categories.")
    rows = list(_measure_rows(measured))
    # in a narrow terminal, the meanings are printed below the table
    below = out.width < READABLE
    table = table_of("measure", "value", "compared with", *(() if below else ("meaning",)))
    table.columns[1].justify = "right"
    for row in rows:
        table.add_row(*(row[:3] if below else row))
    if rows:
        show_table(out, table)
        for name, _, _, meaning in rows * below:
            show_text(out, meaning, out.width, first=f"{name}: ", indent="  ")
        typical = "; typical: the median distance between two images" if measured.between_images else ""
        out.print(f"random: the value for a random subset of the same size{typical}.")
    found = [(name, getattr(measured, field)) for field, name in MEASURES.items()]
    if sampled := [
        f"{name} ({counted(one.images, 'image')})" for name, one in found if one is not None and not one.exact
    ]:
        out.print(f"Measured on a random sample: {', '.join(sampled)}.")
    for reason in dict.fromkeys(measured.absent.values()):
        names = ", ".join(name for field, name in MEASURES.items() if measured.absent.get(field) == reason)
        out.print(f"Not measured, because {reason}: {names}.")
    if measured.unknown_sizes:
        out.print(
            f"Size divergence does not include {counted(measured.unknown_sizes, 'box', 'boxes')}, because the "
            "size of their images is not "
            "known."
        )


def _measure_rows(measured: Representativeness) -> Iterator[tuple[str, str, str, str]]:
    """Yield (name, value, comparison, meaning) for each measure."""
    between = measured.between_images or {}
    for field, by, meaning in (
        (
            "epsilon",
            "chebyshev",
            "largest distance from an image to the nearest kept image of its category, in one feature: 0 is best",
        ),
        ("covering_radius", "euclidean", "the same distance in all features together: 0 is best"),
    ):
        if found := getattr(measured, field):
            yield MEASURES[field], _digits(found.value), f"{_digits(between.get(by))} typical", meaning
    if cover := measured.coverage:
        meaning = (
            f"images with a kept image among the {cover.neighbours} nearest images of their category: 100% is best"
        )
        yield MEASURES["coverage"], _percentage(cover.value), f"{_percentage(cover.at_random)} random", meaning
    if mean := measured.discrepancy:
        meaning = "difference between the feature distributions (MMD): 0 is best, 1.41 is the largest"
        yield MEASURES["discrepancy"], _digits(mean.value), f"{_digits(mean.at_random)} random", meaning
    if shape := measured.diagram_distance:
        for dim, value in shape.by_dimension.items():
            meaning = (
                f"difference between the {SHAPES.get(dim, 'holes')} in the features ({shape.metric}, H{dim}): 0 is best"
            )
            compared = f"{_digits(shape.at_random_by_dimension[dim])} random"
            yield MEASURES["diagram_distance"], _digits(value), compared, meaning
    for field, what in (("class_divergence", "classes"), ("size_divergence", "sizes")):
        if found := getattr(measured, field):
            meaning = f"difference between the {what} of the boxes, in bits: 0 is best, 1 is the largest"
            yield MEASURES[field], _digits(found.value), f"{_digits(found.at_random)} random", meaning


def _digits(value: float | None) -> str:
    """Return a number as text with up to three decimals and without an exponent."""
    if value is None:
        return ""
    if math.isinf(value):
        return "not covered"
    if 0.0 < value < 0.0005:
        return "< 0.001"
    return f"{value:.3f}" if value < 10.0 else f"{value:.1f}" if value < 1000.0 else f"{value:.0f}"


def _percentage(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _copies_kept(selection: Selection) -> list[str]:
    """Return a line that says how many kept images are duplicates, or an empty list if duplicates were dropped."""
    twice = selection.provenance.get("duplicates", {}).get("kept_twice", 0)
    if _left_out(selection) or not twice:
        return []
    what = "is a copy of another kept file" if twice == 1 else "are copies of other kept files"
    return [f"{twice} of the kept files {what}. --drop-duplicates leaves copies out."]


def _not_compared(result: ReductionResult) -> str:
    """Return the splits whose pixels were not compared with train, as ``val and test``.

    The text is empty if there is no such split, or if another split than train was reduced.
    """
    if result.dataset.split != "train" or any(step["step"] == "drop_leaked" for step in result.selection.steps):
        return ""
    splits = result.dataset.source.splits
    return " and ".join(one for one in ("val", "test") if one in splits and splits[one] != splits.get("train"))


def _left_out(selection: Selection) -> list[Mapping[str, Any]]:
    """Return the steps of the selection that dropped duplicates."""
    return [step for step in selection.steps if step["step"] == "drop_duplicates"]
