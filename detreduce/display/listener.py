"""Pass lines about the steps of long work to one listener."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str], None]

_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Pass each line of `say` to `listener` while the block runs. None keeps the current listener."""
    if listener is None:
        yield
        return
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
