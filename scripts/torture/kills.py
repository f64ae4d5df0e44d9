"""Kill commands at a call of the file system, and run them again: `python scripts/torture/kills.py`.

Each run starts a command in a new process and kills the process by SIGKILL. The kill comes just before the n-th call
that concerns a file below the folder of the run, or in the middle of the n-th write. It depends only on the name of the
command, on n and on the seed, so it can be repeated. After the kill, the output must be the old output or the new
output. Every finished cell must be complete, and the source must be unchanged. Then the same command must succeed, and
no temporary file or folder may remain.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from faults import copy
from operations import Operation, Tally, all_reductions, check_whole, others, state_of, temporary_files, tree
from shim import kill, watched

KILLS = {True: 20, False: 200}


def main(short: bool, kills: int = 0, seed: int = 0) -> list[str]:
    """Kill the operations in turn until `kills` processes have been killed, and return the faults."""
    draw, tally = random.Random(seed), Tally()
    listed = [(operation, way) for operation in [*all_reductions(), *others()] for way in ("exchange", "journal")]
    draw.shuffle(listed)
    wanted = kills or KILLS[short]
    with tempfile.TemporaryDirectory() as folder:
        models: dict[str, Model] = {}
        for number in range(wanted):
            operation, way = listed[number % len(listed)]
            key = f"{operation.name}, {way}"
            if key not in models:
                models[key] = Model(operation, way, Path(folder) / str(len(models)))
            models[key].kill_at(draw.randint(1, models[key].calls), tally)
    tally.say("SIGKILLs")
    return tally.faults


class Model:
    """An operation with the folder from which it starts, and with its result if it is not disturbed.

    `way` says how a new output replaces the old one. It is ``exchange``, an exchange of folders, or ``journal``, the
    two renames that are used on other systems.
    """

    def __init__(self, operation: Operation, way: str, folder: Path) -> None:
        self.operation, self.way, self.folder = operation, way, folder
        self.start = folder / "model"
        self.start.mkdir(parents=True)
        operation.prepare(self.start)
        self.before, self.source = state_of(operation, self.start), tree(self.start / "source")
        self.place = folder / "try"
        copy(self.start, self.place)
        counted = folder / "calls"
        end = in_process(lambda: counted.write_text(str(self._run(0))))
        assert end == 0, f"{operation.name} fails by itself"
        self.calls = int(counted.read_text())
        self.after = state_of(operation, self.place)

    def _run(self, at: int) -> int:
        """Run the operation, and kill this process at call number `at`. Return the number of calls if it was not
        killed.
        """
        if self.way == "journal":
            from detreduce.machine import renames

            renames._renameat2 = lambda: None  # type: ignore[assignment]
        with watched([self.place], at, kill) as shim:
            code, said = self.operation.run(self.place)
        if code:
            raise RuntimeError(said)
        return len(shim.calls)

    def kill_at(self, at: int, tally: Tally) -> None:
        """Kill the operation at call number `at`, check what is left, and run the operation again."""
        copy(self.start, self.place)
        end = in_process(lambda: self._run(at))
        tally.count("killed" if end == -signal.SIGKILL else "ended before" if end == 0 else "failed")
        what = f"{self.operation.name} ({self.way}), killed at call {at} of {self.calls}"
        found = state_of(self.operation, self.place)
        faults = [f"failed by itself ({end})"] if end not in (0, -signal.SIGKILL) else []
        if self.way == "journal":
            # between the two renames, the old output has another name; the next run gives it its name again
            found = {name: content for name, content in found.items() if content or not self.before.get(name)}
            faults += check_whole({**self.before, **found}, self.before, self.after)
        else:
            faults += check_whole(found, self.before, self.after)
        if tree(self.place / "source") != self.source:
            faults.append("changed the source")
        again = in_process(lambda: self._run(0))
        gone = "forget" in self.operation.name and found != self.before
        if again and not gone:
            faults.append(f"cannot be repeated ({again})")
        elif not gone and state_of(self.operation, self.place) != self.after:
            faults.append("the same command then gives another result")
        faults += [f"left {name}" for name in temporary_files(self.place)]
        tally.faults += [f"{what}: {fault}" for fault in faults]


def in_process(work: Callable[[], object]) -> int:
    """Call a function in a forked process. Return the exit code of the process, or minus the number of its signal."""
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help=f"{KILLS[True]} kills instead of {KILLS[False]}")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = main(options.short, options.kills, options.seed)
    print("\n".join(found[:60]))
    sys.exit(1 if found else 0)
