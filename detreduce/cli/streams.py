"""Handle standard streams that the caller has closed (``>&-``), or whose reader has ended (``| head``)."""

from __future__ import annotations

import os
import sys


def open_closed_streams() -> None:
    """Connect closed standard streams to the null device.

    Otherwise Python has no `sys.stdout`, and the next opened file gets the free file descriptor. Printed text would
    then be written into that file.
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
    """Send all further output on stdout to the null device, because the reader has ended."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
