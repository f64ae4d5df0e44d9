"""Run jobs in forks of one process that has imported all slow modules: JSON lines in, exit codes out.

A job is ``{"folder", "environment", "output"}`` with ``script``, a Python file, or ``arguments`` of `detreduce`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import runpy
import signal
import sys
import threading
import traceback
from typing import Any

LONGEST_SECONDS = 300


def run(job: dict[str, Any]) -> None:
    """Do a job in this process, as in a new process; raises what the job raises."""
    signal.alarm(LONGEST_SECONDS)
    output = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(job["folder"])
    os.environ.update(job["environment"])
    sys.path[:0] = [job["folder"], *job["environment"].get("PYTHONPATH", "").split(os.pathsep)]
    if "script" in job:
        sys.argv = [job["script"]]
        runpy.run_path(job["script"], run_name="__main__")
    else:
        from detreduce.cli import main as detreduce

        sys.argv = ["detreduce", *job["arguments"]]
        detreduce()


# a fork that imports them itself takes one to three seconds longer. polars is not here: it starts threads
IMPORTED_LATE = (
    "codecarbon.emissions_tracker",
    "gudhi",
    "matplotlib.pyplot",
    "pycocotools.cocoeval",
    "requests",
    "sklearn.cluster",
    "sklearn.datasets",
    "torch._dynamo",  # by the first optimizer
    "torchvision",
    "ultralytics.engine.trainer",
)


def import_slow_modules() -> None:
    """Import every module of detreduce, and what they and ultralytics import at first use."""
    from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics

    quiet_ultralytics()
    from ultralytics import YOLO

    import detreduce

    assert YOLO
    for module in pkgutil.walk_packages(detreduce.__path__, "detreduce."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in IMPORTED_LATE:
        importlib.import_module(name)
    # nothing is computed here: threads would not survive the fork
    assert threading.active_count() == 1


def main() -> None:
    import_slow_modules()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                run(json.loads(line))
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
                if isinstance(end.code, str):
                    print(end.code, file=sys.stderr)
            except BaseException:
                traceback.print_exc()
            finally:
                with contextlib.suppress(OSError, ValueError):
                    sys.stdout.flush()
                    sys.stderr.flush()
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
