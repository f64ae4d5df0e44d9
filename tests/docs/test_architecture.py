"""docs/architecture.md shows the existing rooms, and the order that tests/test_layers.py checks."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import detreduce

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "architecture.md"
ROOMS = {folder.parent.name for folder in Path(detreduce.__file__).parent.glob("*/__init__.py")}


def rows(mark: str) -> list[list[str]]:
    """Return the cells of the table between two marks, without its heading."""
    text = PAGE.read_text(encoding="utf-8")
    inside = text.partition(f"<!-- {mark} -->")[2].partition(f"<!-- /{mark} -->")[0]
    lines = [line for line in inside.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def layers() -> tuple[tuple[str, ...], ...]:
    spec = importlib.util.spec_from_file_location("layers", REPOSITORY / "tests" / "test_layers.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: tuple[tuple[str, ...], ...] = module.LAYERS
    return found


def test_every_room_is_described_once() -> None:
    described = [room.strip("`") for room, _ in rows("rooms")]
    assert set(described) == ROOMS, "docs/architecture.md"
    assert len(described) == len(ROOMS)


def test_a_described_folder_exists() -> None:
    for room, words in rows("rooms"):
        for folder in re.findall(r"`(\w+)/`", words):
            assert (REPOSITORY / "detreduce" / room.strip("`") / folder).is_dir(), (room, folder)


def test_the_floors_are_the_layers() -> None:
    floors = [tuple(re.findall(r"`(\w+)`", names)) for _, names in rows("floors")]
    assert [int(number) for number, _ in rows("floors")] == list(range(1, len(floors) + 1))
    assert floors == [tuple(names) for names in layers()], "docs/architecture.md"


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md", "docs/contributing.md"])
def test_paths_of_the_repository_exist(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    paths = re.findall(r"`((?:detreduce|docs|scripts|tests)/[\w./-]*)`", text)
    assert paths
    for path in paths:
        # the reader chooses NAME
        known = path.partition("NAME")[0].rpartition("/")[0] if "NAME" in path else path
        assert (REPOSITORY / known).exists(), path
