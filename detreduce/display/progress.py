"""One progress display for all work that takes longer than two seconds.

Rich draws it. Rate and time left are our own: `rich.progress` forgets steps that take longer than its fixed window, so
that it has no time left for trainings, and it counts what is done at once (finished cells) as speed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.constrain import Constrain
    from rich.live import Live

DELAY_SECONDS = 2.0
# the rate covers the last half of the time, and at least this
RATE_SECONDS = 30.0
# each drawing costs energy, which the meter counts
REFRESH_PER_SECOND = 4
BAR_WIDTH = 40
NARROWEST_BAR = 8
# room for the ^C that a terminal shows: on another line it would stop this one from being cleared
MARGIN = 3


@contextmanager
def progress(title: str, total: int | None, unit: str = "", *, behind: bool = False) -> Iterator[Callable[..., None]]:
    """Yield ``advance(count=1, note="")``; after two seconds a line appears on stderr, if that is a terminal.

    The line has the rate and the time left or, without `total`, the time so far. Pipes and logs get nothing. A line
    that stands `behind` is shown only if there is no other; of several such lines, the latest is shown.
    """
    work = Work(title, total, unit, behind=behind)
    if not _watched():
        yield work.advance
        return
    _BOARD.begin(work)
    timer = threading.Timer(DELAY_SECONDS, _BOARD.show, (work,))
    timer.daemon = True
    timer.start()
    try:
        yield work.advance
    finally:
        timer.cancel()
        _BOARD.hide(work)


def step(title: str) -> AbstractContextManager[Callable[..., None]]:
    """Name a part of the work that has no count; the name is shown while no count is shown."""
    return progress(title, None, behind=True)


def tell(text: str) -> None:
    """Print a line on stderr, above the progress display."""
    _BOARD.tell(text)


def _watched() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Work:
    """How much of some work is done, and how fast; `clock` returns seconds."""

    def __init__(
        self,
        title: str,
        total: int | None,
        unit: str = "",
        *,
        behind: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title, self.total, self.unit, self.behind = title, total, unit, behind
        self.done = 0
        self.note = ""
        self.over = False
        self._clock = clock
        self._start = self._last = clock()
        self._samples = deque([(self._start, 0)])

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """Count `count` more as done; a note stays until the next one."""
        self.done += count
        self.note = self.note if note is None else note
        now = self._clock()
        elapsed = now - self._start
        if count:
            self._last = now
        if now - self._samples[-1][0] >= max(1.0, elapsed / 100):
            self._samples.append((now, self.done))
            horizon = now - max(RATE_SECONDS, elapsed / 2)
            while len(self._samples) > 1 and self._samples[1][0] <= horizon:
                self._samples.popleft()

    @property
    def rate(self) -> float:
        """The recent rate per second; 0 if nothing is done yet."""
        since, before = self._samples[0]
        made = self.done - before
        if not made:
            return 0.0
        step = max(self._last - since, 1e-9) / made
        # the next one is late only after the time that one takes
        return made / max(self._last - since, self._clock() - since - step, 1e-9)

    @property
    def left(self) -> float | None:
        """The seconds left; None if they are not known."""
        if self.total is None or not (rate := self.rate):
            return None
        missing = max(0, self.total - self.done)
        under_way = min(self._clock() - self._last, 1 / rate) if missing else 0.0
        return missing / rate - under_way

    def in_words(self) -> str:
        """Return count, rate and time left, or the time so far if the time left is not known."""
        rate, left = self.rate, self.left
        parts = [f"{self.done}/{self.total}" if self.total is not None else f"{self.done}" * bool(self.done)]
        if rate > 0:
            parts.append(f"{_rounded(rate)} {self.unit}/s" if rate >= 1 else f"{_rounded(60 * rate)} {self.unit}/min")
        parts.append(in_time(self._clock() - self._start) if left is None else f"{in_time(left)} left")
        return "  ".join(part for part in (*parts, self.note) if part)


def in_time(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _rounded(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"


class _Board:
    """The one display of all running work."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._works: list[Work] = []
        self._behind: list[Work] = []
        self._live: Live | None = None

    def begin(self, work: Work) -> None:
        """Register a work before its line is due; the name of a step replaces an older one at once."""
        if work.behind:
            with self._lock:
                self._behind.append(work)

    def show(self, work: Work) -> None:
        with self._lock:
            if work.over:
                return
            self._works.append(work)
            if self._live is None:
                self._live = self._start()

    def hide(self, work: Work) -> None:
        with self._lock:
            work.over = True
            for works in (self._works, self._behind):
                if work in works:
                    works.remove(work)
            if self._live is not None and not self._works:
                live, self._live = self._live, None
                live.stop()

    def tell(self, text: str) -> None:
        with self._lock:
            if self._live is None:
                print(text, file=sys.stderr, flush=True)
            else:
                self._live.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _start(self) -> Live:
        # rich is slow to import (0.1 s), and most calls end before a line is due
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        live = Live(
            console=console,
            get_renderable=lambda: self._lines(console.width - MARGIN),
            refresh_per_second=REFRESH_PER_SECOND,
            transient=True,
            # output for a pipe must not go to the terminal
            redirect_stdout=sys.stdout.isatty(),
        )
        live.start()
        # a killed process could not show the cursor again
        console.show_cursor(True)
        return live

    def _lines(self, width: int) -> Any:
        from rich.console import Group

        counted = [work for work in list(self._works) if not work.behind]
        return Group(*(line(work, width) for work in counted or list(self._behind)[-1:]))


def line(work: Work, width: int) -> Constrain:
    """Return a line of at most `width` columns, with a bar if there is room."""
    from rich.constrain import Constrain
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    text = work.in_words()
    room = min(BAR_WIDTH, width - len(work.title) - len(text) - 3)
    cells: list[Any] = [Text(work.title)]
    if work.total is not None and room >= NARROWEST_BAR:
        cells.append(ProgressBar(work.total, work.done, width=room))
    grid = Table.grid(padding=(0, 1))
    for _ in (*cells, text):
        grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_row(*cells, Text(text))
    return Constrain(grid, width)


_BOARD = _Board()
