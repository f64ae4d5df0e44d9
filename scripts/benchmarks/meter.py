"""What the energy meter itself costs, as a share of one core while a training runs.

    python scripts/benchmarks/meter.py [--seconds 60]

The meter runs around a phase in which this process sleeps, so all the processor time that it uses is the meter's: its
start, its look at the hardware every few seconds, its end. A training of that length on one core is what it is
compared with. The first phase of a process also imports codecarbon, which comes to the same once an experiment.
"""

from __future__ import annotations

import argparse
import time

from detreduce.training.energy import SAMPLE_SECONDS, EnergyMeter


def cost(seconds: float) -> tuple[float, float]:
    """Processor seconds of metering a phase of so many seconds, and wall seconds beyond it."""
    wall, processor = time.perf_counter(), time.process_time()
    with EnergyMeter("ESP").measure("training"):
        time.sleep(seconds)
    return time.process_time() - processor, time.perf_counter() - wall - seconds


def main() -> None:
    """Print the cost of the first phase, of an empty one, and of one as long as asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the phase")
    arguments = parser.parse_args()
    print(f"a look every {SAMPLE_SECONDS:g} s")
    for name, seconds in (("first phase, empty", 0.0), ("empty phase", 0.0), ("phase", arguments.seconds)):
        processor, wall = cost(seconds)
        share = f" = {processor / seconds:.2%} of {seconds:g} s on one core" if seconds else ""
        print(f"{name}: {processor:.3f} s of processor time{share}, {wall:.3f} s longer")


if __name__ == "__main__":
    main()
