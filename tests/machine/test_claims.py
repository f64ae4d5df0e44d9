"""A claim raises an error if no file can be made, and works if a folder disappears."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detreduce.machine import claims


def test_a_place_where_no_file_can_be_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: Path) -> tuple[int, bool]:
        raise FileNotFoundError(2, "No such file or directory", str(file))

    monkeypatch.setattr(claims, "_open", refuse)
    with pytest.raises(FileNotFoundError), claims.claimed(tmp_path / "out"):
        pass


def test_a_folder_that_another_process_removes_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, calls = claims._open, []

    def remove_first(file: Path) -> tuple[int, bool]:
        calls.append(file)
        if len(calls) == 1:
            os.rmdir(file.parent)  # noqa: PTH106
        return make(file)

    monkeypatch.setattr(claims, "_open", remove_first)
    with claims.claimed(tmp_path / "a/out"):
        assert (tmp_path / "a").is_dir()
    assert len(calls) == 2
