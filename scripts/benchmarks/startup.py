"""Measure how long `detreduce --help`, the help of each command and, for comparison, `yolo help` take.

python scripts/benchmarks/startup.py --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import typer.main

from detreduce.cli import app


def main() -> None:
    """Print the median seconds of each command line, and how much longer `yolo help` takes than `detreduce --help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    programs = Path(sys.executable).parent
    ours = str(programs / "detreduce")
    commands = {"detreduce --help": [ours, "--help"]}
    for name in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        commands[f"detreduce {name} --help"] = [ours, name, "--help"]
    commands["detreduce methods"] = [ours, "methods"]
    commands["yolo help"] = [str(programs / "yolo"), "help"]
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    for name, median in medians.items():
        print(f"{median:6.2f} s  {name}")
    print(f"yolo help takes {medians['yolo help'] / medians['detreduce --help']:.0f} times as long as detreduce --help")


if __name__ == "__main__":
    main()
