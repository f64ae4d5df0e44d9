"""Measure how much processor time the energy meter itself takes during a training.

    python scripts/benchmarks/meter.py [--seconds 60]

The meter measures a phase in which this process only sleeps. So all the processor time that passes is the meter's own:
it starts, reads the hardware every few seconds, and ends. The result is given as a share of one core during the phase.
The first phase in a process also imports codecarbon, which happens only once per experiment.
"""

from __future__ import annotations

import argparse
import time

from detreduce.training.energy import SAMPLE_SECONDS, EnergyMeter


def cost(seconds: float) -> tuple[float, float]:
    """Return the processor seconds that the meter takes during a phase of this length, and by how many seconds it
    delays it.
    """
    wall, processor = time.perf_counter(), time.process_time()
    with EnergyMeter("ESP").measure("training"):
        time.sleep(seconds)
    return time.process_time() - processor, time.perf_counter() - wall - seconds


def main() -> None:
    """Print the cost of the first phase (empty), of a second empty phase, and of a phase of the requested length."""
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
