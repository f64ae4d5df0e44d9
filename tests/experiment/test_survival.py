"""The files of a killed experiment, and the errors of an experiment that cannot write."""

from __future__ import annotations

import errno
import importlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from detreduce.cli import app
from detreduce.errors import DetreduceError
from detreduce.experiment import run as run_module
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.run import run_experiment

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).resolve().parents[2]
CELLS = 7
WEIGHTS = 100_000
Train = Callable[..., Any]


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    # importable by name, because the child processes import it
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "scripts" / "torture")
        yield importlib.import_module("ledger_kills")


@pytest.fixture
def config(script: ModuleType, tmp_path: Path) -> Path:
    file: Path = script.make_experiment(tmp_path, [0])
    return file


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a MB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=500k", "none", str(place)], capture_output=True)
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def heavy_train(stand_in_train: Train) -> Train:
    """A trainer that counts images and writes weights."""

    def train(data: Any, *, output: Path, **arguments: Any) -> Any:
        record = stand_in_train(data, output=output, **arguments)
        (output / "last.pt").write_bytes(bytes(WEIGHTS))
        return record

    return train


def detreduce(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def told(result: Result, code: int, *texts: str) -> None:
    """Check that the command ended with one message and this exit code, without a traceback."""
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.output.count("Error: ") == 1
    for text in texts:
        assert text in result.output


def test_killed_once_nothing_finished_is_lost_or_repeated_and_no_process_is_left(
    script: ModuleType, tmp_path: Path
) -> None:
    found = script.survive(tmp_path, kills=1, seed=1, cell_seconds=0.2, seeds=1)
    assert (found.kills, found.cells) == (1, CELLS)
    assert not found.faults
    assert found.children


def test_a_full_disk_is_told_and_the_same_command_goes_on_once_there_is_room(
    config: Path, heavy_train: Train, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", heavy_train)
    place = small_disk / "ledger"
    told(detreduce("run", config, "--output", place), 1, "No space left on device", "4 of 7 cells remain")
    ledger = Ledger(place)
    before = [cell.key for cell in ledger]
    assert 0 < len(before) < CELLS
    assert not any((place / "unfinished").iterdir())
    subprocess.run(["mount", "-o", "remount,size=5m", str(small_disk)], check=True)
    result = detreduce("run", config, "--output", place)
    assert result.exit_code == 0, result.output
    assert f"{len(before)} finished before" in result.output
    assert len(list(ledger)) == CELLS
    assert all((ledger.cell_folder(cell.key) / "train" / "last.pt").stat().st_size == WEIGHTS for cell in ledger)


def test_a_disk_that_can_only_be_read_is_told(
    config: Path, stand_in_train: Train, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    place = small_disk / "ledger"
    run_experiment(config, place)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    key = Ledger(place).cell_keys()[0]
    told(detreduce("run", config, "reduce.keep=[4]", "--output", place), 1, "Read-only file system")
    told(detreduce("run", config, "--output", small_disk / "new"), 1, "Read-only file system")
    told(detreduce("ledger", "forget", place, key, "--yes"), 1, "Read-only file system")
    told(detreduce("ledger", "merge", place, small_disk / "new"), 1, "Read-only file system")
    told(detreduce("ledger", "export", place, small_disk / "new.csv"), 1, "Read-only file system")
    assert detreduce("ledger", "list", place).exit_code == 0
    assert detreduce("run", config, "--output", place, "--dry-run").exit_code == 0
    assert len(list(Ledger(place))) == CELLS
    finished = detreduce("run", config, "--output", place)
    assert finished.exit_code == 0 and "vs full" in finished.stdout, finished.output


def test_a_finished_ledger_that_cannot_be_written_is_shown(
    config: Path, stand_in_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def read_only(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(run_module, "train", stand_in_train)
    place = tmp_path / "ledger"
    run_experiment(config, place)
    monkeypatch.setattr(Path, "replace", read_only)
    result = detreduce("run", config, "--output", place)
    assert result.exit_code == 0, result.output
    assert "Read-only file system. " in result.stderr
    assert "vs full" in result.stdout and "random (srs)" in result.stdout
    assert f"Next: detreduce report {place}" in result.stdout
    # without a folder for locks, like a copy of a ledger
    for name in ("locks", "unfinished"):
        shutil.rmtree(place / name)
    monkeypatch.setattr(Path, "mkdir", read_only)
    assert detreduce("run", config, "--output", place, "--json").exit_code == 0
    told(detreduce("run", config, "reduce.keep=[4]", "--output", place), 1, "Read-only file system")


def test_a_file_where_the_ledger_should_be_is_told(config: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told(detreduce("run", config, "--output", tmp_path / "file"), 2, "cannot be written: ")
    told(detreduce("run", config, "--output", tmp_path / "file" / "ledger"), 2, "cannot be written: ")


@pytest.mark.parametrize("step", ["train", "write_subset", "finish", "cell file", "save", "choose"])
def test_whatever_finds_the_disk_full_the_finished_cells_are_whole(
    step: str, config: Path, stand_in_train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    from detreduce.reduction import steps

    places: dict[str, tuple[Any, str]] = {
        "train": (run_module, "train"),
        "write_subset": (steps, "write_subset"),
        "finish": (Path, "rename"),
        "save": (Path, "replace"),
        "cell file": (Path, "write_text"),
        "choose": (steps, "choose"),
    }
    monkeypatch.setattr(run_module, "train", stand_in_train)
    place = config.parent / "ledger"
    run_experiment(config, place)
    monkeypatch.setattr(run_module, "train", stand_in_train)
    owner, name = places[step]
    whole = getattr(owner, name)

    def full(*arguments: Any, **options: Any) -> Any:
        # the cell after the next cell, so that this call has already written something
        calls.append(arguments)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(*arguments, **options)

    calls: list[Any] = []
    monkeypatch.setattr(owner, name, full)
    from detreduce.experiment.config import load_config

    settings = load_config(config, {"reduce.keep": [0.5, 3, 4, 5, 6], "train.seeds": [0, 1]})
    with pytest.raises(DetreduceError, match="No space left on device"):
        run_experiment(settings, place)
    monkeypatch.setattr(owner, name, whole)
    ledger = Ledger(place)
    assert len(list(ledger)) >= CELLS
    assert not any((place / "unfinished").iterdir())
    run_experiment(settings, place)
    # 2 + (srs, mms, clc) x 5 keeps x 2 training seeds
    assert len(list(ledger)) == 2 + 3 * 5 * 2
