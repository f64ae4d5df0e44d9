"""Print the result of `split`: the new splits, and the classes that they lack."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import most_common, show_table, show_text, table_of
from detreduce.display.numbers import counted
from detreduce.errors import name_first

if TYPE_CHECKING:
    from detreduce.splitting import SplitResult

MOST_NAMES = 12


def show_split(result: SplitResult) -> None:
    """Print the number of images and the classes of train and of each new split, and the next command."""
    out = terminal.console()
    total = sum(result.images.values())
    new = {name: count for name, count in result.images.items() if name != "train"}
    told = " and ".join(f"{counted(count, 'is', 'are')} {name} now" for name, count in new.items())
    show_text(
        out,
        f"Of {counted(total, 'image')} of train, {told}. {counted(result.images['train'], 'stays', 'stay')} in train.",
        style="green",
    )
    if result.together:
        show_text(
            out,
            f"{counted(result.together, 'image has', 'images have')} near-duplicates or the group of another image. "
            "Such images are in the same split.",
        )
    for name in result.replaced:
        words = "It is replaced." if name in new else "It is left out."
        show_text(out, f"The former {name} split was the train split itself. {words}")
    out.print(f"Written to {result.output}", soft_wrap=True)
    used = [name for name in result.classes["train"] if any(counts[name] for counts in result.classes.values())]
    table = table_of("class", *(f"images in {split}" for split in result.images), right=len(result.images))
    totals = [sum(counts[name] for counts in result.classes.values()) for name in used]
    for name in most_common(used, totals):
        table.add_row(name, *(f"{counts[name]}" for counts in result.classes.values()))
    show_table(out, table)
    if more := len(used) - table.row_count:
        out.print(f"... and {more} rarer classes. --json lists all classes.")
    for split in new:
        if lacking := [name for name in used if not result.classes[split][name]]:
            verb = "is" if len(lacking) == 1 else "are"
            what = f"{len(lacking)} of {len(used)} classes {verb} not in {split}: {name_first(lacking, MOST_NAMES)}."
            them = "it" if len(lacking) == 1 else "them"
            show_text(out, f"{what} The mAP on {split} does not include {them}.", style="yellow")
    data = shlex.quote(str(result.dataset.source.path))
    # a command stays on one line, so that it can be copied
    out.print(f"Next: detreduce inspect {data} --check-images", soft_wrap=True)
