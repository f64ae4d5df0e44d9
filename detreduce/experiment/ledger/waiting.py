"""Wait for cells that other processes train."""

from __future__ import annotations

import time

from detreduce.display.listener import say
from detreduce.display.numbers import counted

POLL_SECONDS = 5.0


class WaitForOthers:
    """Waits a few seconds for cells that other processes train.

    It prints the number of these cells, but only if the number has changed.
    """

    def __init__(self) -> None:
        self._said: int | None = None

    def __call__(self, cells: int) -> None:
        """Wait for `cells` cells."""
        if cells != self._said:
            say(f"Waiting for {counted(cells, 'cell')} that another process is running.")
        self._said = cells
        time.sleep(POLL_SECONDS)
