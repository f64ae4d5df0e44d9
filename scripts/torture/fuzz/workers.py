"""Processes that read damaged files. If a file hangs or crashes a process, the other processes continue."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fuzz.kitchen import Kitchen
from fuzz.parsers import parsers

MEMORY = 1 << 30
"""How much memory a parser may use in addition to the memory of a new worker, in bytes."""
ADDRESSES = 2 << 30
"""How much the address space of a worker may grow, in bytes. It also includes memory that is never used."""


def work(tasks: Connection) -> None:
    """Read damaged files until there are no more, and send the result of each file. This function runs in a worker.

    A task is the name of a parser and the number of a file, or None at the end.
    """
    import detreduce  # noqa: F401

    every = {parser.name: parser for parser in parsers()}
    with (
        tempfile.TemporaryDirectory() as folder,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stderr(nowhere),
    ):
        os.environ.update(XDG_CACHE_HOME=folder, DETREDUCE_CACHE=folder, YOLO_CONFIG_DIR=folder)
        os.chdir(folder)
        kitchen = Kitchen(Path(folder))
        prepared: set[str] = set()
        start = 0
        while (task := tasks.recv()) is not None:
            name, number = task
            if name not in prepared:
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                place = kitchen.place(every[name])
                with contextlib.suppress(Exception):
                    every[name].read(place)  # a valid file is read first, so that all modules are imported
                prepared.add(name)
                start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                pages = int(Path("/proc/self/statm").read_text().split()[0])
                soft = pages * resource.getpagesize() + ADDRESSES
                resource.setrlimit(resource.RLIMIT_AS, (soft, resource.RLIM_INFINITY))
            began = time.process_time()
            how, detail = kitchen.try_one(every[name], number)
            used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * 1024
            if used > MEMORY and how in ("read", "refused"):
                how = f"{used >> 20:,} MiB"
                prepared.clear()
            tasks.send((how, detail, time.process_time() - began, used))


@dataclass
class Worker:
    """A worker process, the task on which it works (None if it has none), and the time since when it does."""

    process: Any
    tasks: Connection
    task: tuple[str, int] | None = None
    since: float = 0.0

    @classmethod
    def start(cls) -> Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def give(self, task: tuple[str, int] | None) -> None:
        self.task, self.since = task, time.monotonic()
        self.tasks.send(task)
