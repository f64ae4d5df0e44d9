"""Let all parsers read many damaged files, and collect the faults."""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path

from fuzz.kitchen import SECONDS, WAIT, Kitchen
from fuzz.parsers import parsers
from fuzz.workers import Worker

INPUTS, SHORT_INPUTS = 10_000, 100
WORKERS = 2


@dataclass
class Tried:
    """What happened when one parser read its inputs.

    Attributes
    ----------
    ended
        Number of inputs that ended in each way: ``read``, ``refused`` or ``faults``.
    slowest
        The longest processor time of an input, in seconds.
    memory
        The largest additional memory of an input, in bytes.
    faults
        Description of a fault, without numbers and names -> numbers of the inputs that caused it.
    """

    ended: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    memory: int = 0
    faults: dict[str, list[int]] = field(default_factory=dict)


def main(short: bool, names: Sequence[str] = (), inputs: int | None = None, first: int = 0) -> list[str]:
    """Let all parsers, or the parsers in `names`, read damaged files. Return a line for each kind of fault.

    `inputs` is the number of files for each parser, and `first` is the number of the first file.
    """
    count = inputs if inputs is not None else SHORT_INPUTS if short else INPUTS
    chosen = [parser.name for parser in parsers() if not names or parser.name in names]
    tried = {name: Tried() for name in chosen}
    tasks = ((name, number) for name in chosen for number in range(first, first + count))
    workers = [Worker.start() for _ in range(WORKERS)]
    left = dict.fromkeys(chosen, count)
    try:
        for worker in workers:
            worker.give(next(tasks, None))
        while busy := [worker for worker in workers if worker.task]:
            ready = wait([worker.tasks for worker in busy], timeout=1)
            for place, worker in enumerate(workers):
                if not worker.task:
                    continue
                name, number = worker.task
                if worker.tasks in ready:
                    try:
                        how, _, seconds, memory = worker.tasks.recv()
                    except (EOFError, OSError):
                        how, seconds, memory = "the process ended", 0.0, 0
                # the limit is longer than WAIT, because the first task of a worker includes all imports
                elif time.monotonic() - worker.since > WAIT + 90:
                    how, seconds, memory = f"longer than {SECONDS} s, in code that no signal interrupts", 0.0, 0
                else:
                    continue
                one = tried[name]
                one.slowest, one.memory = max(one.slowest, seconds), max(one.memory, memory)
                fault = how not in ("read", "refused")
                one.ended["faults" if fault else how] += 1
                if fault:
                    one.faults.setdefault(re.sub(r"\d+|'[^']*'", "…", how), []).append(number)
                    print(f"{name} {number}: {how}", flush=True)
                if how.startswith(("the process", "longer than")) and (how[-1] != "s" or not worker.process.is_alive()):
                    worker.process.kill()
                    worker = workers[place] = Worker.start()
                left[name] -= 1
                if not left[name]:
                    _say(name, one)
                worker.give(next(tasks, None))
    finally:
        for worker in workers:
            worker.process.join(2)
            worker.process.kill()
    return [
        f"{name}: {how}: {len(numbers)} inputs, such as {', '.join(map(str, numbers[:5]))}"
        for name, one in tried.items()
        for how, numbers in one.faults.items()
    ]


def _say(name: str, one: Tried) -> None:
    ended = ", ".join(f"{count:,} {how}" for how, count in sorted(one.ended.items()))
    print(
        f"{name}: {sum(one.ended.values()):,} inputs ({ended}), at most {one.slowest:.1f} s, {one.memory >> 20} MiB",
        flush=True,
    )


def again(name: str, number: int, save: Path | None) -> bool:
    """Read one damaged file in this process, and print its traceback. Return whether the parser has a fault."""
    parser = next(parser for parser in parsers() if parser.name == name)
    with tempfile.TemporaryDirectory() as folder:
        kitchen = Kitchen(Path(folder))
        parser.read(kitchen.place(parser))  # a valid file is read first, so that all modules are imported
        how, detail = kitchen.try_one(parser, number)
        if save:
            save.write_bytes(kitchen.make(parser, number))
    print(f"{detail}{name} {number}: {how}")
    return how not in ("read", "refused")
