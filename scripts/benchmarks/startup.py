"""Measure how long `detreduce --help`, the help of each command and, for comparison, `yolo help` take.

    python scripts/benchmarks/startup.py --rounds 5

It then runs commands that need no neural network on two datasets: a tiny one, and one of --rows small images. A row
shows the wall and processor seconds of the tiny dataset, which are mostly imports, and those of the large dataset. It
ends with the libraries whose import takes longest, and their seconds, from `python -X importtime`.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import typer.main
from PIL import Image

from detreduce.cli import app

LIBRARIES = ("numpy", "scipy", "sklearn", "pandas", "cv2", "pydantic", "typer", "rich", "torch", "yaml")


def made_dataset(folder: Path, images: int) -> Path:
    """Make a YOLO dataset of small random images, with one box in each label file. Return its data.yaml."""
    rng = np.random.default_rng(0)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for row in range(images):
        pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{row}.jpg")
        (folder / "labels" / f"{row}.txt").write_text(f"{row % 2} 0.5 0.5 0.{1 + row % 8} 0.2\n")
    data = folder / "data.yaml"
    data.write_text("train: images\nnames: [cat, dog]\n")
    return data


def without_network(data: Path, output: Path) -> dict[str, list[str]]:
    """Return command name -> arguments of commands that need no neural network, in an order that works."""
    selection = output / "reduced" / "selection.json"
    return {
        "inspect": ["inspect", str(data)],
        "reduce": [
            *("reduce", str(data), "--method", "class_coverage", "--no-page", "--keep", "0.2"),
            *("--output", str(output / "reduced")),
        ],
        "export": ["export", str(selection), "--as", "csv", "--output", str(output / "kept.csv")],
        "split": ["split", str(data), "--output", str(output / "split")],
        "duplicates": ["duplicates", str(data), "--by", "exact", "--cache", str(output / "cache")],
    }


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command. Return its wall seconds and its processor seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def import_times(arguments: list[str]) -> str:
    """Return the libraries that a command imports and their seconds, the slowest first."""
    command = [sys.executable, "-X", "importtime", "-m", "detreduce", *arguments]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()
    own = dict.fromkeys(LIBRARIES, 0.0)
    for line in lines:
        if (found := re.match(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\w+)", line)) and found[2] in own:
            own[found[2]] += int(found[1]) / 1e6
    slowest = sorted(own.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {seconds:.2f}" for name, seconds in slowest if seconds >= 0.01)


def measure_commands(rounds: int, rows: int) -> None:
    """Print one row for each command that needs no neural network."""
    folder = Path(tempfile.mkdtemp())
    try:
        few, many = made_dataset(folder / "few", 10), made_dataset(folder / "many", rows)
        columns = {"10 images": (few, rounds), f"{rows} images": (many, 1)}
        found: dict[str, list[str]] = {}
        for data, repeats in columns.values():
            times: dict[str, list[tuple[float, float]]] = {}
            for _ in range(repeats):
                shutil.rmtree(folder / "out", ignore_errors=True)
                (folder / "out").mkdir()
                for name, arguments in without_network(data, folder / "out").items():
                    times.setdefault(name, []).append(timed([sys.executable, "-m", "detreduce", *arguments]))
            for name, pairs in times.items():
                wall, cpu = (statistics.median(values) for values in zip(*pairs, strict=True))
                found.setdefault(name, []).append(f"{wall:8.2f}{cpu:8.2f}")
        print(f"{'':12}" + "".join(f"{title:>16}" for title in columns) + "  (wall s, CPU s)  own import time")
        shutil.rmtree(folder / "out")
        (folder / "out").mkdir()
        for name, arguments in without_network(few, folder / "out").items():
            print(f"{name:12}{''.join(found[name])}  {import_times(arguments)}", flush=True)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Print the median seconds of each command line, and how much longer `yolo help` takes than `detreduce --help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=20_000, help="images of the large dataset")
    parser.add_argument("--only", choices=["help", "commands"], help="measure only one of the two tables")
    options = parser.parse_args()
    rounds = options.rounds
    if options.only != "commands":
        measure_help(rounds)
    if options.only != "help":
        measure_commands(rounds, options.rows)


def measure_help(rounds: int) -> None:
    """Print the median seconds of the help of each command."""
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
