"""One progress display for all work that takes longer than two seconds.

Rich draws the display, but this module estimates the rate and the time left. `rich.progress` estimates the rate over a
time window of fixed length. It cannot estimate the time left if one step takes longer than this window.
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

from detreduce.display.typed_paths import as_typed

if TYPE_CHECKING:
    from rich.constrain import Constrain
    from rich.live import Live

DELAY_SECONDS = 2.0
# in a pipe: a new title is printed after the first time, and the newest work after the second time without a line,
# which grows to the third
PLAIN_DELAY_SECONDS = 4.0
PLAIN_SECONDS = 12.0
MOST_PLAIN_SECONDS = 60.0
# the rate is the mean over the last half of the elapsed time, but over at least this many seconds
RATE_SECONDS = 30.0
# each redraw uses energy, and the energy meter would count it
REFRESH_PER_SECOND = 4
BAR_WIDTH = 40
NARROWEST_BAR = 8
# room for the ^C that a terminal prints; if the line wrapped, it could not be cleared
MARGIN = 3


@contextmanager
def progress(title: str, total: int | None, unit: str = "", *, behind: bool = False) -> Iterator[Callable[..., None]]:
    """Show the progress of some work on stderr. Yield ``advance(count=1, note="")``, which counts finished units.

    If stderr is a terminal, a line with the rate and the time left appears after two seconds. If `total` is None, the
    line shows the elapsed time instead. If stderr is a pipe or a file, plain lines are printed, but only inside a
    `command`. With ``behind=True``, the line is hidden while other work has a line. Of several such lines, only the
    newest is shown.
    """
    with _shown(Work(title, total, unit, behind=behind)) as work:
        yield work.advance


def step(title: str) -> AbstractContextManager[Callable[..., None]]:
    """Show a line with the name of a step that does not count units. The line is hidden while other work has a line."""
    return progress(title, None, behind=True)


@contextmanager
def command(title: str) -> Iterator[None]:
    """Show a line during a command whenever no other work has a line. The line names the work that ended last.

    If stderr is a pipe or a file, a plain line about the newest work is printed from time to time.
    """
    with _plain_lines(), _shown(Work(title, None, behind=True, follows=True)):
        yield


@contextmanager
def _plain_lines() -> Iterator[None]:
    """Print plain lines about the work inside the block, if stderr is no terminal."""
    if _is_terminal():
        yield
        return
    ended = threading.Event()
    reporter = threading.Thread(target=_BOARD.report, args=(ended,), name="detreduce-progress", daemon=True)
    with _BOARD.plain():
        reporter.start()
        try:
            yield
        finally:
            ended.set()
            # no line may follow the output of the command
            reporter.join()


@contextmanager
def _shown(work: Work) -> Iterator[Work]:
    """Show a line for `work` if stderr is a terminal and the work takes longer than two seconds."""
    if not _is_terminal():
        with _BOARD.listed(work):
            yield work
        return
    _BOARD.begin(work)
    timer = threading.Timer(DELAY_SECONDS, _BOARD.show, (work,))
    timer.daemon = True
    timer.start()
    try:
        yield work
    finally:
        timer.cancel()
        _BOARD.hide(work)


def prints_plain_lines() -> bool:
    """Return whether plain lines about the running work are printed, so that no other lines are needed."""
    return _BOARD.prints_plain


def tell(text: str, style: str = "") -> None:
    """Print a line on stderr, above the progress display.

    On a terminal with colours, `style` is applied to the label of the line, which is the text up to the first colon.
    """
    _BOARD.tell(text, style)


def _is_terminal() -> bool:
    """Return whether stderr is a terminal that can redraw lines."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Work:
    """A piece of work: how many units are finished, how fast, and how much time is left.

    `clock` is a function that returns a time in seconds. If `follows` is True, the title changes whenever other work
    ends, and then names that work.
    """

    def __init__(
        self,
        title: str,
        total: int | None,
        unit: str = "",
        *,
        behind: bool = False,
        follows: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title, self.total, self.unit, self.behind, self.follows = title, total, unit, behind, follows
        self.done = 0
        self.note = ""
        self.over = False
        self._clock = clock
        self._start = self._last = clock()
        self._samples = deque([(self._start, 0)])

    def follow(self, title: str) -> None:
        """Change the title to say that the work `title` has ended, and restart the clock for the elapsed time."""
        self.title, self._start = f"{title}: finishing", self._clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the work began."""
        return self._clock() - self._start

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """Add `count` finished units. A `note` is shown until another note replaces it."""
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
        """Number of units finished per second, over a recent period. It is 0 if no unit is finished."""
        since, before = self._samples[0]
        made = self.done - before
        if not made:
            return 0.0
        step = max(self._last - since, 1e-9) / made
        # a unit that is still running lowers the rate only once it has taken longer than the average finished unit
        return made / max(self._last - since, self._clock() - since - step, 1e-9)

    @property
    def left(self) -> float | None:
        """Estimated number of seconds left. It is None if there is no estimate."""
        if self.total is None or not (rate := self.rate):
            return None
        missing = max(0, self.total - self.done)
        under_way = min(self._clock() - self._last, 1 / rate) if missing else 0.0
        return missing / rate - under_way

    def in_words(self) -> str:
        """Return the count, the rate and the time left as text. If no time left is known, show the elapsed time."""
        rate, left = self.rate, self.left
        parts = [f"{self.done}/{self.total}" if self.total is not None else f"{self.done}" * bool(self.done)]
        if rate > 0:
            number, per = (rate, "s") if rate >= 1 else (60 * rate, "min")
            parts.append(f"{_write_rate(number)} {self.unit}/{per}")
        parts.append(in_time(self._clock() - self._start) if left is None else f"{in_time(left)} left")
        return "  ".join(part for part in (*parts, self.note) if part)


def in_time(seconds: float) -> str:
    """Return a duration as text in seconds, minutes or hours, for example ``12 s`` or ``1.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _write_rate(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"


class _Board:
    """The progress display. All running work of the process shares one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._works: list[Work] = []
        self._behind: list[Work] = []
        self._live: Live | None = None
        self.prints_plain = False
        self._last_line = 0.0

    @contextmanager
    def plain(self) -> Iterator[None]:
        """While the block runs, keep a list of all running work, so that `report` can print lines about it."""
        self.prints_plain, self._last_line = True, time.monotonic()
        try:
            yield
        finally:
            self.prints_plain = False

    @contextmanager
    def listed(self, work: Work) -> Iterator[None]:
        """Add a piece of work to the list for `report` while the block runs. Outside of `plain`, do nothing."""
        if not self.prints_plain:
            yield
            return
        with self._lock:
            (self._behind if work.behind else self._works).append(work)
        try:
            yield
        finally:
            self.hide(work)

    def report(self, ended: threading.Event) -> None:
        """Print a plain line on stderr about the newest work, until the event is set.

        A line is printed at the beginning of each long piece of work, and after 12 to 60 seconds without a line.
        """
        named: set[str] = set()
        while not ended.wait(min(1.0, PLAIN_DELAY_SECONDS)):
            with self._lock:
                work = next(reversed([*self._behind, *self._works]), None)
                if work is None:
                    continue
                begins = work.title not in named and work.elapsed >= PLAIN_DELAY_SECONDS
                # work of hours must not fill a log
                pause = max(PLAIN_SECONDS, min(work.elapsed / 10, MOST_PLAIN_SECONDS))
                waited = time.monotonic() - self._last_line >= pause and work.elapsed >= min(1.0, PLAIN_DELAY_SECONDS)
                if begins or waited:
                    named.add(work.title)
                    self.tell(plain_line(work), "")

    def begin(self, work: Work) -> None:
        """Register work with ``behind=True`` at its beginning, not after two seconds.

        If a line of older work with ``behind=True`` is already shown, the new line then replaces it at once.
        """
        if work.behind:
            with self._lock:
                self._behind.append(work)

    def show(self, work: Work) -> None:
        """Show the line of a piece of work, unless the work has already ended."""
        with self._lock:
            if work.over:
                return
            self._works.append(work)
            if self._live is None:
                self._live = self._start()

    def hide(self, work: Work) -> None:
        """Remove the line of a piece of work that has ended. If no line is left, remove the whole display."""
        with self._lock:
            work.over = True
            for works in (self._works, self._behind):
                if work in works:
                    works.remove(work)
            for other in self._behind:
                if other.follows:
                    other.follow(work.title)
            if self._live is not None and not self._works:
                live, self._live = self._live, None
                live.stop()

    def tell(self, text: str, style: str) -> None:
        """Print a line on stderr, above the progress display if there is one."""
        text = as_typed(text)
        with self._lock:
            self._last_line = time.monotonic()
            if not _is_terminal():
                try:
                    print(text, file=sys.stderr, flush=True)
                except BrokenPipeError:
                    # the program that read our stderr has ended: continue without messages
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
                return
            from rich.console import Console

            from detreduce.display.terminal_text import labelled, wrap

            console = self._live.console if self._live is not None else Console(stderr=True)
            lines = "\n".join(wrap(text, console.width))
            console.print(labelled(lines, style), highlight=False, markup=False, soft_wrap=True)

    def _start(self) -> Live:
        # rich takes 0.1 s to import, and most work ends before a line is shown
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        live = Live(
            console=console,
            get_renderable=lambda: self._lines(console.width - MARGIN),
            refresh_per_second=REFRESH_PER_SECOND,
            transient=True,
            # what is written to a pipe must not appear on the terminal
            redirect_stdout=sys.stdout.isatty(),
        )
        live.start()
        # do not hide the cursor, because a killed process could not show it again
        console.show_cursor(True)
        return live

    def _lines(self, width: int) -> Any:
        from rich.console import Group

        counted = [work for work in list(self._works) if not work.behind]
        return Group(*(line(work, width) for work in counted or list(self._behind)[-1:]))


def plain_line(work: Work) -> str:
    """Return the progress of `work` as one line for a file: ``Reading: 20/100, 2.0 images/s, 40 s left``."""
    return f"{work.title}{',' if ': ' in work.title else ':'} {', '.join(work.in_words().split('  '))}"


def line(work: Work, width: int) -> Constrain:
    """Return the progress line of `work`, at most `width` columns wide. It includes a bar if there is room for one."""
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
