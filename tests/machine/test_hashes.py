"""The hashes in the keys of caches, ledgers and selections."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from detreduce.machine.hashes import content_digest, file_hash, json_hash


def test_a_file_hashes_to_the_sha256_of_its_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(data)
    assert content_digest(data) == hashlib.sha256(data).digest()
    assert file_hash(tmp_path / "file") == file_hash(str(tmp_path / "file")) == content_digest(data).hex()
    with pytest.raises(FileNotFoundError):
        file_hash(tmp_path / "other")


def test_content_hashes_whatever_the_order_of_its_keys() -> None:
    assert json_hash({"b": [1, 1.0], "a": "ü"}) == json_hash({"a": "ü", "b": [1, 1.0]})
    assert json_hash({"a": 1}) != json_hash({"a": 1.0})
    text = json.dumps([{"keep": 0.25}, "a"])
    assert json_hash([{"keep": 0.25}, Path("a")]) == hashlib.sha256(text.encode()).hexdigest()
