"""Let every call of the file system fail, one after the other: `python scripts/torture/faults.py`.

Each of the commands writes a dataset, an export, the cache, a ledger or a report. A command first runs without a fault,
and its calls are counted. Then it runs once for each of these calls and each error, and this one call fails with this
error. The command must either end with one error message of detreduce, or do its work although the call failed. The
source must be unchanged, and the old output and every finished cell must be complete. Then the command runs again
without a fault. It must succeed, and no temporary file may remain.
"""

from __future__ import annotations

import argparse
import errno
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from operations import Operation, Tally, all_reductions, check_whole, others, state_of, temporary_files, tree
from shim import fail, watched

CODES = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.ENOLCK, errno.EMFILE)
ENDS = {0: "done nevertheless", 1: "refused by the machine", 2: "refused as input"}
SHORT_STEP = 37
"""With ``--short``, only every `SHORT_STEP`-th call fails, each with the next error of `CODES`."""


def main(short: bool, names: Sequence[str] = (), *, rotate: bool = False) -> list[str]:
    """Try all operations, or the operations whose name contains one of `names`, and return the faults.

    With `rotate`, every call fails only once, each with the next error of `CODES`. Otherwise every call fails once with
    each error.
    """
    tally = Tally()
    for number, operation in enumerate([*all_reductions(), *others()]):
        if names and not any(name in operation.name for name in names):
            continue
        before = tally.tried
        faults = len(tally.faults)
        with tempfile.TemporaryDirectory() as folder:
            try_all(operation, Path(folder), tally, SHORT_STEP if short else 1, number, rotate=rotate or short)
        print(
            f"{operation.name}: {tally.tried - before} faults injected, {len(tally.faults) - faults} not survived",
            flush=True,
        )
    tally.say("faults injected")
    return tally.faults


def try_all(operation: Operation, folder: Path, tally: Tally, step: int, number: int, *, rotate: bool) -> None:
    """Run an operation many times. In each run, another call of the file system fails.

    Parameters
    ----------
    operation
        The operation to run.
    folder
        An empty folder for its files.
    tally
        The counts and faults, which are added here.
    step
        Only every `step`-th call fails.
    number
        Number of the operation. If `step` is above 1, it decides which call fails first.
    rotate
        Whether each call fails with one error only, instead of with every error in turn.
    """
    model = folder / "model"
    model.mkdir()
    operation.prepare(model)
    before, source = state_of(operation, model), tree(model / "source")
    place = folder / "try"
    copy(model, place)
    with watched([place]) as shim:
        code, said = operation.run(place)
    if code:
        tally.faults.append(f"{operation.name}: fails by itself: {said}")
        return
    after = state_of(operation, place)
    for at in range(1 + number % step, len(shim.calls) + 1, step):
        for wrong in [CODES[at // step % len(CODES)]] if rotate else CODES:
            copy(model, place)
            with watched([place], at, fail(wrong)) as one:
                code, said = operation.run(place)
            what = f"{operation.name}, {errno.errorcode[wrong]} at call {at} ({one.calls[at - 1]} {one.place})"
            tally.count(ENDS.get(code, "broken"))
            faults = [] if code in (0, 1, 2) else [f"ended with {said.strip()[-300:]}"]
            if code and said.count("Error: ") != 1:
                faults.append(f"does not end with one error: {said.strip()[-300:]!r}")
            # a label or a cell that cannot be read is left out of the output, and detreduce lists it
            if code or not one.place.startswith((str(place / "source"), str(place / "ledger/cells"))):
                faults += check_whole(state_of(operation, place), before, after)
            if tree(place / "source") != source:
                faults.append("changed the source")
            code, said = operation.run(place)
            faults += [f"cannot be repeated: {said.strip()[-300:]}"] if code and "forget" not in operation.name else []
            faults += [f"left {name}" for name in temporary_files(place)]
            tally.faults += [f"{what}: {fault}" for fault in faults]


def copy(model: Path, place: Path) -> None:
    """Replace the folder `place` by a copy of the folder `model`."""
    shutil.rmtree(place, ignore_errors=True)
    # the copy keeps the times of the files, because the loader compares them
    shutil.copytree(model, place, symlinks=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="operations, by a part of the name; default: all")
    parser.add_argument("--short", action="store_true", help=f"only every {SHORT_STEP}th call")
    parser.add_argument("--rotate", action="store_true", help="one error for each call instead of all")
    options = parser.parse_args()
    found = main(options.short, options.names, rotate=options.rotate)
    print("\n".join(found[:60]))
    sys.exit(1 if found else 0)
