from __future__ import annotations

from pathlib import Path

import pytest

from detreduce.errors import InputError
from detreduce.machine.untrusted.checked_yaml import read_keys, read_yaml


def test_keys_and_values_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("batch: 4\n")
    assert read_keys(file, "a recipe") == read_yaml(file) == {"batch": 4}


@pytest.mark.parametrize("content", [b"batch: [4\n", b"\xff\xfe\x00", b"- 4\n", b"", b"a: &a [*a]\n"])
def test_one_error_for_any_other_content(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_keys(file, "a recipe")
    assert str(file) in str(caught.value)
