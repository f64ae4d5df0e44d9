"""Print the content and the problems of a dataset, for `inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import share, show_table, table_of

if TYPE_CHECKING:
    from detreduce.dataset.checks import DatasetSummary


def show_summary(summary: DatasetSummary, *, problems_shown: int | None) -> None:
    """Print the content and the problems of a dataset. If `problems_shown` is None, all problems are listed."""
    out = terminal.console()
    out.print(f"{summary.path} ({summary.format}), split {summary.split}")
    splits = ", ".join(f"{name} {count}" for name, count in summary.splits.items())
    facts: dict[str, Any] = {"images": summary.images}
    if summary.labelled:
        facts |= {"boxes": summary.boxes, "crowd regions": summary.crowd, "images without boxes": summary.background}
    else:
        facts["boxes"] = "not labelled"
    facts["splits (images)"] = splits
    grid = Table.grid(padding=(0, 2))
    for label, value in facts.items():
        grid.add_row(f"  {label}", f"{value}")
    out.print(grid)
    if summary.classes:
        classes = table_of("class", "key in the files", "images", "boxes", "share of boxes", right=3)
        for row in summary.classes:
            classes.add_row(row.name, f"{row.key}", f"{row.images}", f"{row.boxes}", share(row.boxes, summary.boxes))
        show_table(out, classes)
    if summary.side_quantiles:
        quantiles = ", ".join(f"{part:.0%}: {side:.3f}" for part, side in summary.side_quantiles.items())
        out.print(f"Box size, sqrt(box area / image area), by quantile: {quantiles}")
    if summary.sizes is not None:
        sizes = ", ".join(f"{name} {count}" for name, count in summary.sizes.items())
        out.print(f"Box size by COCO's bounds (32 and 96 pixels squared): {sizes}")
    if summary.outside:
        out.print(summary.outside, soft_wrap=True)
    shown = summary.problems[:problems_shown]
    out.print(f"Problems: {len(summary.problems) or 'none found'}")
    for problem in shown:
        out.print(f"  {problem}", soft_wrap=True)
    if len(shown) < len(summary.problems):
        out.print(f"  ... and {len(summary.problems) - len(shown)} more. Use --all to list all problems.")
    if summary.refused:
        out.print(f"Ultralytics will leave out {summary.refused} of the {summary.images} images of this split.")
