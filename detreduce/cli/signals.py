"""Make SIGTERM and SIGHUP end a command like Ctrl-C, so that unfinished files are removed first."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Windows has no SIGHUP
_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
_AGAIN_SECONDS = 0.05
_received: list[int] = []
_handled: set[int] = set()


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise KeyboardInterrupt in the main thread at the first SIGTERM or SIGHUP in this block. Ignore later signals.

    The handling of a signal does not change if the caller ignores it (as `nohup` does) or already handles it. No
    KeyboardInterrupt is lost in this block. If a destructor or a weakref callback raises a KeyboardInterrupt, Python
    only prints it. In this case, the main thread is interrupted again.
    """
    _received.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _handled.update(number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL)
    for number in _handled:
        signal.signal(number, _interrupt)
    report = sys.unraisablehook

    def interrupt_again(lost: sys.UnraisableHookArgs) -> None:
        if isinstance(lost.exc_value, KeyboardInterrupt):
            # later, because an interrupt would be lost here too
            threading.Timer(_AGAIN_SECONDS, _signal_again).start()
        else:
            report(lost)

    sys.unraisablehook = interrupt_again
    try:
        yield
    finally:
        sys.unraisablehook = report
        _restore()


def received_signal() -> int | None:
    """Return the number of the signal that ended the command, or None."""
    return _received[0] if _received else None


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Store the number of the signal. Interrupt the main thread at the first signal only."""
    _received.append(number)
    if len(_received) == 1:
        raise KeyboardInterrupt


def _signal_again() -> None:
    """Send the last signal to the main thread again."""
    number = _received.pop() if _received else signal.SIGINT
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, number)


def _restore() -> None:
    """Restore the default handling, in which the signals end the process."""
    for number in _handled:
        signal.signal(number, signal.SIG_DFL)
    _handled.clear()


# a forked process, such as a loader of images, must end at once
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restore)
