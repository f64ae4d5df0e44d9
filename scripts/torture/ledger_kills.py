"""Kill a small experiment at random moments and check its ledger: `python scripts/torture/ledger_kills.py`.

In place of a training, a function only counts images for a fraction of a second. It also starts torch's own loader
processes. The experiment is killed by SIGKILL and started again until all kills are done. When a grid is finished, a
new one begins. The first kill comes during a training. A fifth of the other kills come while the experiment starts, and
half of them at any time. The rest come while a cell is chosen, written or finished. After each kill, every finished
cell must still exist, unchanged and complete, and no finished cell may begin again. At the end, each ledger must equal
the ledger of an undisturbed run, and no process may remain.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import importlib.util
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import yaml
from PIL import Image

from detreduce.experiment.ledger.finished_cell import CELL_FILE
from detreduce.experiment.ledger.ledger import Ledger

REPOSITORY = Path(__file__).resolve().parents[2]
WEIGHTS = 200_000
READY, BETWEEN, TRAINING = "ready", "between", "training"
BRIEF = ("choosing", "writing", "finishing")
KILLS = {True: 5, False: 50}
# every 5 s, torch's loader processes check whether their parent process still exists; on a busy machine they start
# later. These two limits are very long, because they only end a wait that would otherwise never end
STRAY_SECONDS = 600.0
RUN_SECONDS = 1200.0
PRELOADED = ["codecarbon", "detreduce.experiment.run", "detreduce.features.extract", "sklearn.base", "torch.utils.data"]


def main(short: bool, kills: int = 0, seed: int = 0, cell_seconds: float = 0.4) -> list[str]:
    """Kill the experiment again and again, print what happened, and return the faults.

    `cell_seconds` is the length of a made-up training.
    """
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        result = survive(Path(folder), kills or KILLS[short], seed, cell_seconds, say=print)
    print(f"{result.kills} kills in {result.grids} grids of {result.cells} cells, {time.monotonic() - start:.0f} s")
    print(f"killed while: {', '.join(f'{place} {count}' for place, count in sorted(result.moments.items()))}")
    print(f"loader processes of killed trainings: {result.children}")
    print(f"left after {STRAY_SECONDS:.0f} s: {len(result.strays)}")
    if not result.faults:
        print("No finished cell is lost, repeated or incomplete. Every ledger equals the ledger of an undisturbed run.")
    return result.faults


@dataclass
class Result:
    """What happened while an experiment was killed again and again.

    Attributes
    ----------
    kills, grids, cells
        The number of kills, the number of grids that were started, and the number of cells in a grid.
    children
        The number of loader processes that outlived their killed parents for a while.
    moments
        What the experiment was doing -> number of kills at this moment.
    strays
        The ids of the processes that are still there at the end.
    faults
        A line for each fault. The list should be empty.
    """

    kills: int = 0
    grids: int = 0
    cells: int = 0
    children: int = 0
    moments: dict[str, int] = field(default_factory=dict)
    strays: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def survive(
    folder: Path,
    kills: int,
    seed: int = 0,
    cell_seconds: float = 0.4,
    say: Callable[[str], object] = lambda line: None,
    seeds: int = 3,
) -> Result:
    """Kill experiments with `seeds` seeds until `kills` of them were killed. All files are written below `folder`."""
    draw, result = random.Random(seed), Result()
    config = make_experiment(folder, list(range(seeds)))
    reference = Attempt(config, folder / "undisturbed", folder / "log-undisturbed", cell_seconds)
    began = time.monotonic()
    reference.wait_until(READY)
    startup = time.monotonic() - began
    reference.finish()
    truth = facts(Ledger(folder / "undisturbed"))
    result.cells = len(truth)
    children: dict[psutil.Process, float] = {}
    while result.kills < kills:
        result.grids += 1
        place, log = folder / f"ledger-{result.grids}", folder / f"log-{result.grids}"
        ledger, seen = Ledger(place), Seen()
        while result.kills < kills:
            attempt = Attempt(config, place, log, cell_seconds)
            kind = draw.random()
            if result.kills == 0:
                # so that at least one kill leaves loader processes
                attempt.wait_until(TRAINING)
            elif kind < 0.2:
                time.sleep(draw.uniform(0, startup))
            elif kind < 0.7:
                attempt.wait_until(READY)
                time.sleep(draw.uniform(0, 12 * cell_seconds))
            else:
                attempt.wait_until(draw.choice(BRIEF), draw.randint(1, 3))
                time.sleep(draw.uniform(0, 0.02))
            below, alive = attempt.kill()
            children |= dict.fromkeys(below, time.monotonic())
            result.faults += seen.look(ledger, log)
            if not alive:
                break
            result.kills += 1
            moment = attempt.moment()
            result.moments[moment] = result.moments.get(moment, 0) + 1
            say(f"kill {result.kills}: {moment}, {len(seen.cells)} of {result.cells} cells finished")
        last = Attempt(config, place, log, cell_seconds)
        last.finish()
        result.faults += seen.look(ledger, log)
        result.faults += compare(facts(ledger), truth, place)
    result.children = len(children)
    while any(_lives(child) and time.monotonic() - at < STRAY_SECONDS for child, at in children.items()):
        time.sleep(0.5)
    result.strays = [child.pid for child in children if _lives(child)]
    result.faults += [f"process {pid} of a killed run is still there" for pid in result.strays]
    return result


def _lives(process: psutil.Process) -> bool:
    """Return whether a process is still running. A zombie, which has ended but was not yet reaped, does not count."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


class Attempt:
    """A process that runs the experiment. It is forked from a process that has already imported the slow modules."""

    def __init__(self, config: Path, ledger: Path, log: Path, cell_seconds: float) -> None:
        self._said = log.with_name(f"{log.name}-{time.monotonic_ns()}")
        self._said.touch()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self.process = context.Process(target=be_killed, args=(config, ledger, log, self._said, cell_seconds))
        self.process.start()

    def wait_until(self, word: str, times: int = 1) -> None:
        """Wait until the process has written the word `times` times, or until it has ended."""
        deadline = time.monotonic() + RUN_SECONDS
        while self._said.read_text().split().count(word) < times and self.process.is_alive():
            if time.monotonic() > deadline:
                raise RuntimeError(f"it never wrote {word!r}: {self._said.read_text()}")
            time.sleep(0.002)

    def kill(self) -> tuple[list[psutil.Process], bool]:
        """Kill the process, but not its children. Return the children, and whether the process was still running."""
        below: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            one = psutil.Process(self.process.pid)
            one.suspend()  # from now on, the process cannot start more children
            below = one.children(recursive=True)
        self.process.kill()
        self.process.join()
        alive = self.process.exitcode == -signal.SIGKILL
        if not alive and self.process.exitcode:
            raise RuntimeError(f"the experiment failed by itself: {self._said.read_text()}")
        return below, alive

    def finish(self) -> None:
        self.process.join(RUN_SECONDS)
        if self.process.exitcode != 0:
            self.process.kill()
            raise RuntimeError(f"the experiment failed: {self._said.read_text()}")

    def moment(self) -> str:
        """Return what the process was doing when it ended, according to the last word that it wrote."""
        known = [word for word in self._said.read_text().split() if word in (READY, BETWEEN, TRAINING, *BRIEF)]
        return {READY: "planning"}.get(known[-1], known[-1]) if known else "starting"


class Seen:
    """The finished cells of a ledger in the state in which they were first seen."""

    def __init__(self) -> None:
        self.cells: dict[str, tuple[int, int]] = {}

    def look(self, ledger: Ledger, log: Path) -> list[str]:
        """Compare a ledger with the earlier states of its cells, and return the faults.

        `log` has a line with the key of each cell that began.
        """
        faults = []
        begun = log.read_text().splitlines() if log.is_file() else []
        for key, stamp in self.cells.items():
            if key not in ledger:
                faults.append(f"the finished cell {key} is lost")
            elif stamp != _stamp(ledger, key):
                faults.append(f"the finished cell {key} was written again")
            if begun.count(key) != self.begun[key]:
                faults.append(f"the finished cell {key} was begun again")
        for key in ledger.cell_keys():
            faults += _half(ledger, key)
            self.cells.setdefault(key, _stamp(ledger, key))
        self.begun = {key: begun.count(key) for key in self.cells}
        return faults


def _stamp(ledger: Ledger, key: str) -> tuple[int, int]:
    status = (ledger.cell_folder(key) / CELL_FILE).stat()
    return status.st_ino, status.st_mtime_ns


def _half(ledger: Ledger, key: str) -> list[str]:
    try:
        cell = ledger[key]
        whole = (ledger.cell_folder(key) / "train" / "weights" / "last.pt").stat().st_size == WEIGHTS
        chosen = cell.cell["control"] or json.loads((ledger.cell_folder(key) / "selection.json").read_text())
    except (ValueError, OSError) as error:
        return [f"the finished cell {key} cannot be read: {error}"]
    return [] if whole and chosen else [f"the finished cell {key} is incomplete"]


def facts(ledger: Ledger) -> dict[str, Any]:
    """Return the content of a ledger by the keys of its cells, without times."""
    return {
        cell.key: [dict(cell.cell), dict(cell.selection), cell.training.evaluation, cell.training.counts]
        for cell in ledger
    }


def compare(found: dict[str, Any], truth: dict[str, Any], place: Path) -> list[str]:
    faults = [f"{place.name}: the cell {key} is missing" for key in truth.keys() - found.keys()]
    faults += [f"{place.name}: the cell {key} should not be there" for key in found.keys() - truth.keys()]
    faults += [
        f"{place.name}: the cell {key} differs" for key in truth.keys() & found.keys() if found[key] != truth[key]
    ]
    left = list((place / "unfinished").iterdir())
    return faults + [f"{place.name}: left over: {entry.name}" for entry in left]


def make_experiment(folder: Path, seeds: list[int]) -> Path:
    """Write an experiment with twelve images and given vectors, and return its YAML file. A seed has seven cells."""
    for row in range(12):
        image, label = folder / f"set/images/{row:02}.jpg", folder / f"set/labels/{row:02}.txt"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (row * 20, 0, 0)).save(image)
        label.write_text(f"{row % 2} 0.5 0.5 0.2 0.2\n")
    (folder / "set/data.yaml").write_text("train: images\nval: images\nnames: [a, b]\n")
    rows = [f"{row:02}.jpg,{row},{row % 5}" for row in range(12)]
    (folder / "vectors.csv").write_text("\n".join(["image,x,y", *rows]) + "\n")
    content = {
        "name": "small",
        "dataset": "set/data.yaml",
        "features": {"backbone": "file:vectors.csv", "blocks": ["image"]},
        "reduce": {"methods": ["srs", "mms", "clc"], "keep": [0.5, 3], "seeds": seeds},
        "train": {"model": "yolov8n.yaml", "seeds": seeds, "epochs": 1},
        "evaluate": {"on": "val"},
        "allow_leaks": True,
    }
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def be_killed(config: Path, ledger: Path, log: Path, said: Path, cell_seconds: float) -> None:
    """Run the experiment with a made-up training, and write a word to the file `said` at each step."""
    os.environ["DETREDUCE_CACHE"] = str(config.parent / "cache")
    with said.open("w") as stream:
        for standard in (sys.stdout, sys.stderr):
            os.dup2(stream.fileno(), standard.fileno())
    # if the process hangs, this prints the place in the code where it does
    faulthandler.dump_traceback_later(RUN_SECONDS / 2)
    from torch.utils.data import DataLoader

    from detreduce.experiment import run
    from detreduce.reduction import steps

    stand_in = _conftest()._stand_in_train

    def train(data: Any, *, output: Path, seed: int, **arguments: Any) -> Any:
        with log.open("a") as stream:
            stream.write(f"{output.parent.name}\n")
        loader = DataLoader(range(64), num_workers=2, persistent_workers=True, multiprocessing_context="fork")
        for number in loader:
            if not number:
                _tell(TRAINING)
            time.sleep(cell_seconds / 64)
        record = stand_in(data, output=output, seed=seed, **arguments)
        weights = output / "weights" / "last.pt"
        weights.parent.mkdir()
        with weights.open("wb") as file:
            for _ in range(10):
                file.write(bytes(WEIGHTS // 10))
                file.flush()
                time.sleep(cell_seconds / 100)
        return record

    run.train = train
    for module, name, word in (
        (run.Ledger, "finish", "finishing"),
        (steps, "write_subset", "writing"),
        (steps, "choose", "choosing"),
    ):
        setattr(module, name, _telling(getattr(module, name), word))
    _tell(READY)
    run.run_experiment(config, ledger)


def _telling(function: Callable[..., Any], word: str) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _tell(word)
        try:
            return function(*args, **kwargs)
        finally:
            _tell(BETWEEN)

    return wrapped


def _tell(word: str) -> None:
    print(word, flush=True)


def _conftest() -> ModuleType:
    """Return the module tests/experiment/conftest.py, which has the made-up training."""
    place = REPOSITORY / "tests" / "experiment" / "conftest.py"
    spec = importlib.util.spec_from_file_location("stand_ins", place)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{KILLS[True]} kills instead of {KILLS[False]}")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cell-seconds", type=float, default=0.4, help="duration of the stand-in training")
    options = parser.parse_args()
    faults_found = main(options.short, options.kills, options.seed, options.cell_seconds)
    print("\n".join(faults_found))
    sys.exit(1 if faults_found else 0)
