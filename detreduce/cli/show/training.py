"""Print the results and costs of a training, for `train` and `proxy`."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import number, show_table, show_text, table_of

if TYPE_CHECKING:
    from detreduce.arrays.proxy_log import ProxyLog
    from detreduce.training.record import TrainingRecord


def show_record(record: TrainingRecord) -> None:
    """Print the results and costs of one training."""
    row = record.row()
    table = table_of("measure", "value", right=1)
    for label, key, digits in (
        ("mAP50", "mAP50", 3),
        ("mAP50-95", "mAP50_95", 3),
        ("precision", "precision", 3),
        ("recall", "recall", 3),
        ("energy (Wh)", "Wh", 2),
        ("CO2 (g)", "g_co2", 2),
        ("minutes", "minutes", 1),
        ("optimiser steps", "optimiser_steps", 0),
        ("images seen", "images_seen", 0),
    ):
        table.add_row(label, number(row.get(key), digits))
    out = terminal.console()
    show_table(out, table)
    for component, part in record.energy["training"].components.items():
        out.print(f"Energy of the {component}: {part.wh:.2f} Wh, {part.provenance} ({part.method})")
    if (evaluation := record.evaluation) and (agreement := evaluation.agreement) and not agreement.ok:
        out.print(f"The two mAP values differ by more than {agreement.tolerance}: {agreement.note}")
    if record.data.problems is not None:
        out.print(record.data.problems.line, soft_wrap=True)
    for warning in record.warnings:
        show_text(out, f"Warning: {warning}")
    out.print(f"Run folder: {record.run}", soft_wrap=True)


def show_proxy(log: ProxyLog, output: Path) -> None:
    """Print the proxy's mean scores for the boxes in each epoch, the costs, and the next command to type."""
    out = terminal.console()
    table = table_of("epoch", "mean IoU", "mean confidence", "mean loss", right=4)
    boxes = bool(len(log.box_images))
    for epoch in range(log.epochs if boxes else 0):
        values = (log.iou[epoch], log.confidence[epoch], log.loss[epoch])
        table.add_row(f"{epoch + 1}", *(f"{float(value.mean(dtype='f8')):.3f}" for value in values))
    show_table(out, table)
    energy = log.facts.get("energy", {})
    cost = f"{number(energy.get('seconds', math.nan) / 60, 1)} minutes, {number(energy.get('wh'), 2)} Wh"
    show_text(out, f"{len(log.box_images)} boxes in {len(log.image_ids)} images; {cost}. Log: {output}")
    for warning in log.facts.get("warnings", ()):
        show_text(out, f"Warning: {warning}")
    data = shlex.quote(str(log.facts.get("data", {}).get("path", "data.yaml")))
    chosen_by = f"--method vps --proxy {shlex.quote(str(output))}"
    out.print(f"Next: detreduce reduce {data} {chosen_by} --output reduced/", soft_wrap=True)
