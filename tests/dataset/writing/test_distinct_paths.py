from __future__ import annotations

from pathlib import PurePosixPath

from detreduce.dataset.writing.distinct_paths import distinct_paths


def distinct(*names: str, **options: object) -> list[str]:
    return [str(path) for path in distinct_paths(map(PurePosixPath, names), **options)]  # type: ignore[arg-type]


def test_a_path_in_use_gets_the_next_free_number() -> None:
    assert distinct("a.jpg", "b/a.jpg", "a.jpg", "a.jpg") == ["a.jpg", "b/a.jpg", "a-2.jpg", "a-3.jpg"]
    assert distinct("a-2.jpg", "a.jpg", "a.jpg") == ["a-2.jpg", "a.jpg", "a-3.jpg"], "the number itself may be in use"
    assert distinct("x.tar.gz", "x.tar.gz", "none", "none") == ["x.tar.gz", "x.tar-2.gz", "none", "none-2"]


def test_paths_with_the_same_key_are_the_same() -> None:
    found = distinct("a.jpg", "a.png", "b.png", key=lambda path: path.with_suffix(""))
    assert found == ["a.jpg", "a-2.png", "b.png"]
