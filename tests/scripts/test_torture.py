"""The tools of `scripts/torture/run`. CI runs the command itself."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

TORTURE = Path(__file__).resolve().parents[2] / "scripts" / "torture"


@pytest.fixture(autouse=True)
def importable() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TORTURE)
        yield


def test_a_number_makes_the_same_damaged_file_again(tmp_path: Path) -> None:
    from fuzz.kitchen import Kitchen
    from fuzz.parsers import parsers

    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = Kitchen(tmp_path / "one"), Kitchen(tmp_path / "two")
    for parser in parsers():
        made = [one.make(parser, number) for number in range(30)]
        assert made == [two.make(parser, number) for number in range(30)], parser.name
        assert len(set(made)) > 20


def test_fuzzing_finds_what_it_looks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fuzz import kitchen as fuzz
    from fuzz.parsers import Parser

    from detreduce.errors import DetreduceError, DetreduceWarning, InputError

    def hang() -> None:
        while True:
            pass

    def give(error: BaseException) -> None:
        raise error

    def fill() -> None:
        try:
            raise MemoryError
        except MemoryError as error:
            raise DetreduceError("the memory is full") from error

    reads = {
        "read": lambda: warnings.warn("", DetreduceWarning, stacklevel=1),
        "refused": lambda: give(InputError("x")),
        "KeyError: 'x'": lambda: give(KeyError("x")),
        "RuntimeWarning: x": lambda: warnings.warn("x", RuntimeWarning, stacklevel=1),
        "MemoryError": fill,
        "longer than 1 s": hang,
    }
    monkeypatch.setattr(fuzz, "SECONDS", 1)
    kitchen = fuzz.Kitchen(tmp_path)
    for number, (wanted, read) in enumerate(reads.items()):
        parser = Parser(
            f"p{number}", lambda folder: (folder / "a").write_bytes(b"1 2"), "a", lambda _, read=read: read()
        )
        assert kitchen.try_one(parser, 0)[0] == wanted


@pytest.fixture
def shim() -> ModuleType:
    import shim

    return shim


def test_the_shim_counts_and_fails_calls_below_its_folders_only(shim: ModuleType, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"

    def work(folder: Path) -> None:
        folder.mkdir()
        (folder / "a").write_bytes(b"content")
        (folder / "a").rename(folder / "b")
        os.link(folder / "b", folder / "c")
        (folder / "d").symlink_to(folder / "b")
        assert (folder / "b").read_text() == "content"
        (folder / "b").unlink()

    with shim.watched([inside]) as counted:
        work(outside)
        assert not counted.calls
        work(inside)
    wanted = ["os.mkdir", "open", "write", "os.rename", "os.link", "os.symlink", "open", "read", "os.remove"]
    assert [name for name in counted.calls if name in wanted] == wanted[:7] + ["read"] * (
        counted.calls.count("read")
    ) + ["os.remove"]
    for at in range(1, len(counted.calls) + 1):
        place = tmp_path / f"try{at}"
        with shim.watched([place], at, shim.fail(errno.EIO)) as one, pytest.raises(OSError) as caught:
            work(place)
        assert caught.value.errno == errno.EIO and len(one.calls) >= at and one.place


def test_torture_is_one_command() -> None:
    done = subprocess.run([TORTURE / "run", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "kills, faults" in done.stdout
    done = subprocess.run([sys.executable, TORTURE, "nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "nonsense" in done.stderr


def test_a_fuzzed_input_is_read_again_by_its_number(tmp_path: Path) -> None:
    command = [sys.executable, TORTURE / "fuzz", "labels", "--only", "3", "--save", tmp_path / "input"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "labels 3: read" in done.stdout, done.stderr
    assert (tmp_path / "input").read_bytes()


def test_the_workers_of_a_campaign_find_their_modules(tmp_path: Path) -> None:
    command = [sys.executable, TORTURE / "fuzz", "labels", "--inputs", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "labels: 3 inputs (3 read)" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nothing"], "unknown cases"), (["yolo", "--only", "x"], "reduce srs"), (["--size", "100"], "one case")],
)
def test_load_names_what_it_does_not_know(arguments: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, TORTURE / "load.py", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and said in done.stderr


def test_load_measures_one_command_at_one_size() -> None:
    command = [sys.executable, TORTURE / "load.py", "crowded", "--size", "40", "--only", "inspect"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "crowded: 40 boxes in one image" in done.stdout, done.stderr
    assert done.stdout.count("| inspect |") == 1 and "reduce" not in done.stdout
