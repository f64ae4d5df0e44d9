"""Print the weights of a stream: the effective sample size, the most extreme weights, and the next command."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.cli.show.terminal import console, number, show_table, show_text, table_of
from detreduce.display.numbers import counted
from detreduce.training.streams.table import image_names

if TYPE_CHECKING:
    from detreduce.exports.stream_weights import StreamWeights

EXTREMES = 5
EPOCHS = 100
"""The number of epochs that ultralytics uses by default."""
Counts = npt.NDArray[np.int64] | None


def weights_json(found: StreamWeights, written: Path, counts: Counts) -> dict[str, Any]:
    """Return the output of the option `--json`: a dict with the same facts that `show_weights` prints."""
    content: dict[str, Any] = {
        "written": str(written),
        "split": found.dataset.split,
        "stream": found.stream.model_dump(exclude_defaults=True),
        "images": len(found),
        "effective_sample_size": found.effective_size,
        "most": _extremes(found, most=True),
        "least": _extremes(found, most=False),
    }
    if counts is not None:
        content |= {"lines": int(counts.sum()), "images_without_line": int((counts == 0).sum())}
    return content


def show_weights(found: StreamWeights, written: Path, counts: Counts) -> None:
    """Print the effective sample size, the images that are drawn most and least often, and the next command.

    If a list of images was written, `counts` says how often each image occurs in the list. If a table of weights was
    written, `counts` is None.
    """
    out, count = console(), len(found)
    size = found.effective_size
    show_text(
        out,
        f"{counted(count, 'image')} weighted by {found.stream.by}. Effective sample size: {size:,.1f} "
        f"({size / count:.0%}), on "
        f"the scale from 1 (only one image is drawn) to {count:,} (all images are drawn equally often).",
    )
    table = table_of("image", "times a pass", right=1)
    shown = _extremes(found, most=True)
    least = [row for row in _extremes(found, most=False)[::-1] if row not in shown]
    for row in shown:
        table.add_row(row["image"], number(row["times"], 2))
    if count > len(shown) + len(least):
        table.add_row("...", "")
    for row in least:
        table.add_row(row["image"], number(row["times"], 2))
    show_table(out, table)
    show_text(out, f"A pass has {count:,} draws. In a uniform stream, each pass draws each image once.", style="dim")
    if absent := int((found.weights == 0).sum()):
        show_text(
            out,
            f"{counted(absent, 'image has weight 0 and is', 'images have weight 0 and are')} never drawn.",
            style="yellow",
        )
    out.print(f"Written to {written}", soft_wrap=True)
    if counts is None:
        # print a command or a line of YAML on one line, so that it can be copied
        out.print("Next: name the file in a recipe, also after you edited the weights:", soft_wrap=True)
        out.print(f"stream: {{by: weights, file: {written}}}", soft_wrap=True)
        return
    _show_list(found, written, counts)


def _show_list(found: StreamWeights, written: Path, counts: npt.NDArray[np.int64]) -> None:
    """Print the length of the list, how many images are missing from it, and the command that trains on it."""
    out, lines = console(), int(counts.sum())
    ratio = lines / len(found)
    show_text(
        out,
        f"The list has {counted(lines, 'line')}, {ratio:.3g} times the images. {_epochs(ratio)} epochs on it "
        "take the time of "
        f"{EPOCHS} epochs on all images.",
    )
    if absent := int(((counts == 0) & (found.weights > 0)).sum()):
        show_text(
            out,
            f"{counted(absent, 'image with a small weight is', 'images with a small weight are')} not in the "
            "list. --lines NUMBER makes a longer list.",
            style="yellow",
        )
    data = shlex.quote(str(written))
    out.print(f"Next: yolo detect train data={data} model=yolo11n.pt epochs={_epochs(ratio)}", soft_wrap=True)


def _epochs(ratio: float) -> int:
    return max(1, round(EPOCHS / ratio))


def _extremes(found: StreamWeights, *, most: bool) -> list[dict[str, Any]]:
    """Return the images with the largest or the smallest weights, with the most extreme one first."""
    order = np.argsort(-found.weights if most else found.weights, kind="stable")[:EXTREMES]
    names = image_names(found.dataset)
    return [
        {"image": names[row], "weight": float(found.weights[row]), "times": float(found.times[row])}
        for row in order.tolist()
    ]
