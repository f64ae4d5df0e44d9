"""Make SIGTERM and SIGHUP end a command as Ctrl-C does, so that the command can remove its unfinished files."""

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
    """Raise KeyboardInterrupt in the main thread at the first SIGTERM or SIGHUP. Ignore later signals.

    If the caller ignores a signal (as `nohup` does) or has a handler for it, this handling does not change.

    Python only prints a KeyboardInterrupt that is raised inside a destructor or a weakref callback. In this case, the
    signal is sent to the main thread again, so that the command still ends.
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
        """Repeat an interrupt that Python could not raise. Report any other error as before."""
        if isinstance(lost.exc_value, KeyboardInterrupt):
            # not at once, because an interrupt that is raised here would be lost as well
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
    """Return the number of the signal that ended the command, or None if there was no signal."""
    return _received[0] if _received else None


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Handle a signal: store its number, and raise KeyboardInterrupt if it is the first signal."""
    _received.append(number)
    if len(_received) == 1:
        raise KeyboardInterrupt


def _signal_again() -> None:
    """Send the last signal to the main thread a second time."""
    number = _received.pop() if _received else signal.SIGINT
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, number)


def _restore() -> None:
    """Restore the default handlers, with which these signals end the process."""
    for number in _handled:
        signal.signal(number, signal.SIG_DFL)
    _handled.clear()


# a forked process, such as a worker that loads images, must end at once
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restore)
