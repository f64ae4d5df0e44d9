"""The output in a suggested command does not exist yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from detreduce.dataset.output_name import output_name


@pytest.mark.parametrize("data", ["frames", "frames/data.yaml", "frames.yaml"])
def test_a_suggested_output_never_exists(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames").mkdir()
    names = []
    for _ in range(3):
        names.append(output_name(Path(data), "without-leaks"))
        assert not Path(names[-1]).exists()
        Path(names[-1]).mkdir()
    assert names == ["frames-without-leaks", "frames-without-leaks-2", "frames-without-leaks-3"]
