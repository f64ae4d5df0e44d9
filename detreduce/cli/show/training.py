"""Print the results and the costs of a training, for the commands `train` and `proxy`."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import number, show_problems, show_status, show_table, show_text, table_of
from detreduce.dataset.paths.output_name import output_name
from detreduce.dataset.suggested_command import data_words
from detreduce.display.numbers import counted
from detreduce.display.terminal_text import WARNING

# more classes than this do not fit on a screen
SHOWN = 30
FEW_STEPS = 50
"""With fewer optimiser steps than this, a detector without pretrained weights learns almost nothing."""
NEAR_ZERO = 0.05
"""An mAP50 below this means that a detector has learnt almost nothing."""

if TYPE_CHECKING:
    from detreduce.arrays.proxy_log import ProxyLog
    from detreduce.training.evaluation.figures import Evaluation
    from detreduce.training.record import TrainingRecord


def show_record(record: TrainingRecord) -> None:
    """Print the results and costs of one training: mAP, classes, energy, plots and warnings."""
    out = terminal.console()
    if evaluation := record.evaluation:
        splits = " and ".join(evaluation.splits)
        show_text(
            out,
            f"Measured on {splits}: {counted(evaluation.images, 'image')} with "
            f"{counted(evaluation.boxes, 'box', 'boxes')}. The weights are "
            f"from the {record.choose} epoch.",
            style="bold",
        )
        _show_classes(out, evaluation)
    _show_corrupted(out, record)
    if record.recipe is not None:
        keys = ", ".join(f"{name}: {value}" for name, value in record.recipe.items() if name != "name")
        show_text(out, f"Recipe {record.recipe.get('name', '')}{f' ({keys})' if keys else ''}")
    row = record.row()
    table = table_of("measure", "value", right=1)
    for label, value, digits in (
        ("precision", row["precision"], 3),
        ("recall", row["recall"], 3),
        ("energy (Wh)", row["Wh"], 2),
        ("CO2 (g)", row["g_co2"], 2),
        *(
            (f"energy of {what} (Wh)", row[f"{phase}_Wh"], 2)
            for phase, what in (("selection", "choosing the subset"), ("stream", "the stream"))
            if phase in record.energy
        ),
        ("training minutes", row["minutes"], 1),
        ("optimiser steps", row["optimiser_steps"], 0),
        ("images seen", row["images_seen"], 0),
    ):
        table.add_row(label, number(value, digits))
    show_table(out, table)
    for component, part in record.energy["training"].components.items():
        show_text(
            out, f"Energy of the {component}: {number(part.wh, 2)} Wh, {part.provenance} ({part.method})", indent="  "
        )
    if record.data.problems is not None:
        show_problems(out, record.data.problems)
    for warning in dict.fromkeys(record.warnings):
        show_status(out, f"Warning: {warning}", WARNING)
    if plots := record.plots:
        found = ", ".join(plot.name for plot in plots)
        show_text(out, f"Plots: {plots[0].parent}")
        show_text(out, found, indent="  ")
    out.print(f"Run folder: {record.run}", soft_wrap=True)


def show_too_short(record: TrainingRecord, arguments: Sequence[str]) -> None:
    """Warn if the mAP is near 0 because the training had too few optimiser steps, and print a command that trains
    longer.

    `arguments` are the arguments with which the user ran the command `train`.
    """
    steps = record.counts.optimiser_steps
    learnt = record.evaluation is not None and record.evaluation.mAP50 >= NEAR_ZERO
    if steps >= FEW_STEPS or learnt:
        return
    epochs = max(FEW_STEPS, math.ceil(FEW_STEPS * record.counts.epochs / max(steps, 1)))
    out = terminal.console()
    count = f"{steps} optimiser step{'' if steps == 1 else 's'}"
    few = f"Warning: {count}: too few to learn, so a mAP near 0 is expected."
    if isinstance(seen := (record.recipe or {}).get("images_seen"), int):
        # with more epochs, each epoch would only see fewer images
        more = math.ceil(seen * FEW_STEPS / max(steps, 1))
        show_status(out, f"{few} Set images_seen to at least {more} in the recipe.", WARNING)
        return
    show_status(out, f"{few} Use epochs={epochs}.", WARNING)
    again = [one for one in arguments if not one.startswith("epochs=")]
    out.print(f"Next: {shlex.join(['detreduce', 'train', *again, f'epochs={epochs}'])}", soft_wrap=True)


def _show_classes(out: Console, evaluation: Evaluation) -> None:
    """Print the AP of each class and the mAP, as computed by ultralytics and by pycocotools."""
    coco = evaluation.coco
    more = ("AP50, COCO", "AP50-95, COCO") if coco else ()
    table = table_of("class", "images", "boxes", "AP50", "AP50-95", *more, right=4 + len(more))
    lowest_first = sorted(evaluation.per_class, key=lambda one: one.AP50_95)
    for one in evaluation.per_class if len(lowest_first) <= SHOWN else lowest_first[:SHOWN]:
        by_coco = [number(one.coco_AP50, 3), number(one.coco_AP50_95, 3)] if coco else []
        table.add_row(one.name, f"{one.images}", f"{one.boxes}", number(one.AP50, 3), number(one.AP50_95, 3), *by_coco)
    table.add_section()
    by_coco = [number(coco.mAP50, 3), number(coco.mAP50_95, 3)] if coco else []
    mean = [number(evaluation.mAP50, 3), number(evaluation.mAP50_95, 3)]
    table.add_row("mAP", f"{evaluation.images}", f"{evaluation.boxes}", *mean, *by_coco, style="bold")
    show_table(out, table)
    if len(lowest_first) > SHOWN:
        show_text(out, f"These are the {SHOWN} classes with the lowest AP50-95. record.json has all of them.")
    if coco:
        show_text(
            out, "AP50 and AP50-95 are by ultralytics. COCO: pycocotools, from the same predictions.", style="dim"
        )


def _show_corrupted(out: Console, record: TrainingRecord) -> None:
    """Print mAP50-95 for each corruption and severity. If no corrupted images were evaluated, print nothing."""
    if not record.corrupted:
        return
    row, found = record.row(), {(one.corruption, one.severity): one.evaluation for one in record.corrupted}
    severities = sorted({severity for _, severity in found})
    table = table_of("corruption", *(f"severity {one} of 5" for one in severities), "mean", right=len(severities) + 1)
    for name in dict.fromkeys(name for name, _ in found):
        values = [found[name, severity].mAP50_95 for severity in severities]
        table.add_row(name, *(number(value, 3) for value in values), number(row[f"mAP50_95_{name}"], 3))
    table.add_section()
    table.add_row("all", *[""] * len(severities), number(row["mAP50_95_corrupted"], 3), style="bold")
    show_table(out, table)
    relative = "is not known, because mAP50-95 is nearly 0" if row["rPC"] is None else f"is {row['rPC']:.0%}"
    show_text(
        out, f"mAP50-95 on corrupted images. Their mean, divided by mAP50-95 on the clean images (rPC), {relative}."
    )


def show_proxy(log: ProxyLog, output: Path, *, given: str, images: Path | None) -> None:
    """Print the results of a proxy training, its costs, and the next command.

    The results are the mean scores of all boxes after each epoch.

    `given` is the dataset as the user typed it. `images` is the folder of images, if the user typed one.
    """
    out = terminal.console()
    table = table_of("epoch", "mean IoU", "mean confidence", "mean loss", right=4)
    boxes = bool(len(log.box_images))
    for epoch in range(log.epochs if boxes else 0):
        values = (log.iou[epoch], log.confidence[epoch], log.loss[epoch])
        table.add_row(f"{epoch + 1}", *(f"{float(value.mean(dtype='f8')):.3f}" for value in values))
    show_table(out, table)
    energy = log.facts.get("energy", {})
    cost = f"{number(energy.get('seconds', math.nan) / 60, 1)} minutes, {number(energy.get('wh'), 2)} Wh"
    show_text(
        out,
        f"{counted(len(log.box_images), 'box', 'boxes')} in {counted(len(log.image_ids), 'image')}; {cost}. "
        f"Log: {output}",
    )
    for warning in log.facts.get("warnings", ()):
        show_status(out, f"Warning: {warning}", WARNING)
    data = data_words(given, images, "train")
    chosen_by = ["--method", "vps", "--proxy", str(output), "--output", output_name(Path(given), "reduced")]
    out.print(f"Next: {shlex.join(['detreduce', 'reduce', *data, *chosen_by])}", soft_wrap=True)
