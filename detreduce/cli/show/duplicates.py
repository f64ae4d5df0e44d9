"""Print the results of the command `duplicates` in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import show_status, show_text
from detreduce.dataset.suggested_command import reduce_command, split_command
from detreduce.display.terminal_text import GOOD, WARNING

if TYPE_CHECKING:
    from detreduce.dataset.records import DetectionDataset
    from detreduce.duplicates import Duplicates, LeakageReport


def show_duplicates(
    dataset: DetectionDataset, found: Duplicates, report: LeakageReport | None, *, given: str, shown: int | None
) -> None:
    """Print the duplicates in a split, the images that are also in another split, a summary and the next command.

    `given` is the dataset as the user typed it, for use in the next command. At most `shown` pairs are listed. If
    `shown` is None, all pairs are listed.
    """
    out = terminal.console()
    if found.pairs:
        out.print(f"In {dataset.split}, the kept image and its duplicate:", style="bold")
    names = {record.id: record.name for record in dataset}
    # list the most certain pairs first
    for pair in sorted(found.pairs, key=lambda pair: (not pair.exact, -pair.similarity))[:shown]:
        _show_pair(out, names[pair.kept], names[pair.copy], alike(pair.exact, pair.transformation, pair.similarity))
    _show_more(out, len(found.pairs), shown)
    if report is not None and report.leaked:
        out.print("In two splits:", style="bold")
        for item in sorted(report.leaked, key=lambda item: (not item.exact, -item.similarity))[:shown]:
            how = alike(item.exact, item.transformation, item.similarity)
            _show_pair(out, f"{item.other_split} {item.other_name}", f"{item.split} {item.name}", how)
        _show_more(out, len(report.leaked), shown)
    for problem in found.problems[:shown]:
        show_status(out, f"Warning: {problem}", WARNING)
    _show_summary(out, dataset, found, report)
    _show_next(out, given, dataset, found, report)


def _show_pair(out: Console, first: str, second: str, how: str) -> None:
    """Print the names of two images and how similar the images are. A narrow terminal gets two lines instead of one."""
    if len(first) + len(second) + len(how) + 6 <= out.width:
        out.print(f"  {first}, {second}: {how}", soft_wrap=True)
    else:
        out.print(f"  {first}", soft_wrap=True)
        out.print(f"    {second}: {how}", soft_wrap=True)


def _show_more(out: Console, pairs: int, shown: int | None) -> None:
    """Print how many pairs were not listed, if there are more than `shown`."""
    if shown is not None and pairs > shown:
        more = pairs - shown
        out.print(f"  ... and {more:,} more pair{'s' * (more != 1)}. Use --all to list all pairs.")


def _show_summary(out: Console, dataset: DetectionDataset, found: Duplicates, report: LeakageReport | None) -> None:
    """Print how many images of the split are duplicates, and how many images are in two splits."""
    content = found.by == "content"
    how = "in every pixel" if content else f"by {found.by}, with a similarity of at least {found.threshold:g}"
    if found.pairs:
        exact = sum(pair.exact for pair in found.pairs)
        equal = f", {exact:,} of them in every pixel" if exact and not content else ""
        line = (
            f"Duplicates: {len(found.pairs):,} of the {found.images:,} images of {dataset.split} repeat another image"
            f"{equal} ({how}; {len(found):,} group{'s' * (len(found) != 1)})."
        )
    else:
        line = f"Duplicates: none among the {found.images:,} images of {dataset.split} ({how})."
    show_status(out, line, WARNING if found.pairs else GOOD)
    if report is not None:
        show_leakage(out, {f"{earlier} / {later}": count for (earlier, later), count in report.counts.items()})


def _show_next(
    out: Console, given: str, dataset: DetectionDataset, found: Duplicates, report: LeakageReport | None
) -> None:
    """Print the command that leaves out the duplicates and the leaks. If there are none, print nothing."""
    from detreduce.duplicates.search import THRESHOLD

    content = found.by == "content"
    sides = () if report is None else report.leaked
    shared = {item.name for item in sides if item.split == dataset.split}
    shared |= {item.other_name for item in sides if item.other_split == dataset.split}
    leaked = bool(shared)
    if dataset.split == "train" and len(shared) == len(dataset):
        out.print(f"Next: {split_command(dataset, given)}", soft_wrap=True)
        return
    options = []
    # without --method, `reduce` leaves out near-duplicates by pixels without being asked
    if found.pairs and (found.by != "pixels" or found.threshold != THRESHOLD):
        options = ["--drop-duplicates"]
        how = ["--duplicates-from", f"{found.threshold:g}"]
        options += how if found.by == "pixels" else ["--duplicates-by", "exact" if content else found.by]
    options += ["--drop-leaked"] * (leaked and dataset.split == "train")
    if found.pairs or options:
        suffix = "clean" if found.pairs else "without-leaks"
        command = reduce_command(dataset, "--keep", "all", *options, suffix=suffix, given=given)
        # print a command on one line, so that it can be copied
        out.print(f"Next: {command}", soft_wrap=True)


def leakage_lines(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return lines that say how many images of each split are also in an earlier split.

    The keys of `counts` are pairs of splits, such as ``train / test``.
    """
    if not counts:
        return ["Leakage: the dataset has only one split."]
    lines = []
    for pair, count in counts.items():
        earlier, _, later = pair.partition(" / ")
        if both := count["exact"] + count["near"]:
            equal = f", {count['exact']} of them equal in every pixel" if count["exact"] else ""
            lines.append(
                f"  {both} of the {count['of']} images of {later} {'is' if both == 1 else 'are'} in {earlier}{equal}."
            )
    return ["Leakage between splits:", *lines] if lines else ["Leakage between splits: none found."]


def show_leakage(out: Console, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Print how many images of each split are also in an earlier split."""
    lines = leakage_lines(counts)
    show_status(out, lines[0], WARNING if lines[1:] else GOOD)
    for line in lines[1:]:
        show_text(out, line.strip(), indent="  ")


def alike(exact: bool, transformation: str, similarity: float) -> str:
    """Describe how similar two images are, for example ``equal pixels`` or ``mirrored, similarity 0.91``."""
    return "equal pixels" if exact else f"{transformation}, similarity {similarity:.2f}"
