"""One progress line for anything that takes longer than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DELAY_SECONDS = 2.0


@contextmanager
def progress(title: str, total: int | None, unit: str = "") -> Iterator[Callable[..., None]]:
    """Yield ``advance(count=1, note="")``; a bar appears on a terminal's stderr once two seconds have passed.

    Piped or logged runs see nothing, so that scripts can read stdout and logs stay short.
    """
    start = time.monotonic()
    bar = None
    task = None
    done = 0

    def advance(count: int = 1, note: str = "") -> None:
        nonlocal bar, task, done
        done += count
        if bar is None:
            if not sys.stderr.isatty() or time.monotonic() - start < DELAY_SECONDS:
                return
            bar, task = _start_bar(title, total, unit)
        bar.update(task, completed=done, note=note, speed=done / max(time.monotonic() - start, 1e-9))

    try:
        yield advance
    finally:
        if bar is not None:
            bar.stop()


def _start_bar(title: str, total: int | None, unit: str):  # type: ignore[no-untyped-def]
    # rich is slow to import, and most calls end before a bar is needed
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:.0f} " + (f"{unit}/s" if unit else "/s")),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )
    bar.start()
    return bar, bar.add_task(title, total=total, note="", speed=0.0)
