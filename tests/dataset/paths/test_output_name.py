"""The output in a suggested command does not exist yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from detreduce.dataset.paths.output_name import free_name, output_name


@pytest.mark.parametrize("data", ["frames", "frames/data.yaml", "frames.yaml", "frames/classes.txt"])
def test_a_suggested_output_never_exists(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames").mkdir()
    names = []
    for _ in range(3):
        names.append(output_name(Path(data), "without-leaks"))
        assert not Path(names[-1]).exists()
        Path(names[-1]).mkdir()
    assert names == ["frames-without-leaks", "frames-without-leaks-2", "frames-without-leaks-3"]


@pytest.mark.parametrize("data", [".", "..", "-x", ".hidden", "a b", "data.yaml", "up/_annotations.coco.json", "/"])
def test_a_suggested_output_can_be_typed(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    name = output_name(Path(data), "clean")
    assert name.endswith("-clean") and name[0] not in "-." and "/" not in name
    assert name not in ("data-clean", "_annotations.coco-clean") or data == "/"


def test_a_free_name_keeps_its_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for wanted in ("list.txt", "list-2.txt", "list-3.txt"):
        assert free_name("list.txt") == wanted
        # a dead link is in the way too
        Path(wanted).symlink_to("nowhere")
