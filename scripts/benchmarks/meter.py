"""Measure the cost of the energy meter itself, as a share of one core during a training.

    python scripts/benchmarks/meter.py [--seconds 60]

The meter runs around a phase in which this process sleeps. So all processor time belongs to the meter: its start, its
readings of the hardware every few seconds, and its end. The result is a share of the processor time of a training of
the same length on one core. The first phase of a process also imports codecarbon, which happens once per experiment.
"""

from __future__ import annotations

import argparse
import time

from detreduce.training.energy import SAMPLE_SECONDS, EnergyMeter


def cost(seconds: float) -> tuple[float, float]:
    """Return the processor seconds of metering a phase of that length, and the additional wall seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    with EnergyMeter("ESP").measure("training"):
        time.sleep(seconds)
    return time.process_time() - processor, time.perf_counter() - wall - seconds


def main() -> None:
    """Print the cost of the first phase, of an empty phase, and of a phase of the requested length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the phase")
    arguments = parser.parse_args()
    print(f"a reading every {SAMPLE_SECONDS:g} s")
    for name, seconds in (("first phase, empty", 0.0), ("empty phase", 0.0), ("phase", arguments.seconds)):
        processor, wall = cost(seconds)
        share = f" = {processor / seconds:.2%} of {seconds:g} s on one core" if seconds else ""
        print(f"{name}: {processor:.3f} s of processor time{share}, {wall:.3f} s longer")


if __name__ == "__main__":
    main()
