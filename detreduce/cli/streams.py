"""Standard streams that the caller has closed (``>&-``), or whose reader has gone (``| head``)."""

from __future__ import annotations

import os
import sys


def open_closed_streams() -> None:
    """Let closed standard streams lead to the null device.

    Without this, Python has no `sys.stdout`, and the next file that is opened gets the free number: what a process
    prints would land in that file.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            # the lowest free number: the streams below this one are open
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors="replace", closefd=False))


def forget_output() -> None:
    """Send what is still printed on stdout to the null device, because nobody reads it any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
