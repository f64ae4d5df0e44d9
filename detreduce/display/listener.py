"""Pass lines about the steps of long work to the function that the caller gives.

Warnings and progress do not go through this module. Python's `warnings` lets callers filter, test and log warnings. The
progress display belongs to the terminal: all threads of the process share it, while a listener belongs to one call. In
the command line, lines, warnings and progress meet in `detreduce.display.progress.tell`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from detreduce.errors import InputError

Listener = Callable[[str], None]

_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Pass each line of `say` to `listener` while the block runs. None keeps the current listener."""
    if listener is None:
        yield
        return
    if not callable(listener):
        raise InputError(f"say={listener!r} is not a function. Pass a function of one line of text, such as print.")
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def say(line: str) -> None:
    """Pass one line of text about a step to the listener. Without a listener, nothing happens."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(line)
