from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detreduce.dataset.groups import assign_groups, check_group_rule
from detreduce.dataset.records import ImageRecord
from detreduce.errors import InputError


def records(*names: str) -> list[ImageRecord]:
    none = np.empty((0, 4)), np.empty(0, np.int64), np.empty(0, bool)
    return [ImageRecord(name, Path(name).name, Path("/set") / name, *none) for name in names]


def test_by_folder() -> None:
    assert assign_groups(records("a/1.jpg", "b/1.jpg", "a/2.jpg"), "folder") == ["/set/a", "/set/b", "/set/a"]


def test_by_a_part_of_the_name() -> None:
    frames = records("x/cam1_drive_0001.jpg", "y/cam1_drive_0002.jpg", "x/cam2_drive_0001.jpg")
    assert assign_groups(frames, r"(.+)_\d+") == ["cam1_drive", "cam1_drive", "cam2_drive"]
    assert assign_groups(frames, r"^cam(\d)_(\w+?)_") == ["1 drive", "1 drive", "2 drive"]
    assert assign_groups(records("7.jpg", "b7.jpg"), "(b)?7") == ["", "b"]


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"'odd\.jpg'"):
        assign_groups(records("v_1.jpg", "odd.jpg"), r"(.+)_\d+")
    with pytest.raises(InputError, match="not a valid regular expression"):
        check_group_rule("(")
    with pytest.raises(InputError, match="in parentheses"):
        check_group_rule("folders")
