"""Handle standard streams that the caller has closed (``>&-``), or that nothing reads any more (``| head``)."""

from __future__ import annotations

import os
import sys


def open_closed_streams() -> None:
    """Connect standard streams that are closed to the null device.

    Otherwise `sys.stdout` would be None, and the next file that is opened would get the free file descriptor. Printed
    text would then be written into that file.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            # the new descriptor is the lowest free number, which is this stream, because the lower streams are already
            # open
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors="replace", closefd=False))


def forget_output() -> None:
    """Send all further output on stdout to the null device, because no program reads it any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
