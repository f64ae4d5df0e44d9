"""Pass progress lines of long work to a function that the caller provides.

Warnings and the progress bar do not go through this module. Python's `warnings` module already lets callers filter,
test and log warnings. The progress bar belongs to the terminal, and all threads of the process share it. A listener
belongs to one call.
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
    """Pass each line given to `say` to `listener` while the block runs. If `listener` is None, nothing changes."""
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
    """Pass one line of text to the current listener. If there is no listener, nothing happens."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(line)
