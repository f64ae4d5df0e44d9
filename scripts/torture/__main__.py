"""Disturb detreduce in all known ways, and print whether it survives: `scripts/torture/run`.

    scripts/torture/run                 # everything; several hours
    scripts/torture/run --short         # a small part of everything, as in CI
    scripts/torture/run kills faults    # some kinds

Each kind of disturbance is a module or package in this folder. Its function `main(short)` runs and prints the tests,
and returns the faults that it found.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
KINDS = ("kills", "faults", "ledger_kills", "fuzz", "same_answer", "load", "many_classes")


def main() -> None:
    known = [name for name in KINDS if (HERE / f"{name}.py").is_file() or (HERE / name).is_dir()]
    parser = argparse.ArgumentParser(
        prog="scripts/torture/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"default: all of {', '.join(known)}")
    parser.add_argument("--short", action="store_true", help="a small part of everything")
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(known):
        parser.error(f"unknown kinds: {', '.join(sorted(unknown))}. Use {', '.join(known)}")
    sys.path.insert(0, str(HERE))
    survived: dict[str, bool] = {}
    for name in options.kinds or known:
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        faults = importlib.import_module(name).main(options.short)
        print("\n".join([*faults[:60], f"{name}: {len(faults)} faults, {time.monotonic() - start:.0f} s"]), flush=True)
        survived[name] = not faults
    print("\n" + "\n".join(f"{name}: {'survived' if ok else 'NOT SURVIVED'}" for name, ok in survived.items()))
    sys.exit(0 if all(survived.values()) else 1)


if __name__ == "__main__":
    main()
