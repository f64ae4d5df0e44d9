"""Run a program in a process of its own, and kill it with SIGKILL at a known call. Nothing waits for a time to pass."""

from __future__ import annotations

import signal
import subprocess
import sys

_STOP = """
import importlib, sys, threading
owner, name, wanted = sys.argv.pop(1).rsplit(".", 1) + [int(sys.argv.pop(1))]
module, _, kind = owner.partition(":")
owner = getattr(importlib.import_module(module), kind)
real, calls = getattr(owner, name), 0
def stop(*arguments):
    global calls
    calls += 1
    if calls == wanted:
        print("stopped", flush=True)
        threading.Event().wait()
    return real(*arguments)
setattr(owner, name, stop)
"""


def kill_at(place: str, call: int, program: str, *arguments: object) -> None:
    """Run a Python program until a call of a method, then kill the process.

    `place` is the method: ``module:Class.method``. `call` counts its calls from 1.
    """
    command = [sys.executable, "-c", _STOP + program, place, str(call), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = next((line for line in child.stdout if line == "stopped\n"), None)
        assert line is not None, "the program ended before the call"
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
