"""Placing files in the folder of a subset."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from detreduce.dataset.writing.links import Placer


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A folder that is a link. One image in the folder is a file, and another image is a link to another folder."""
    for name in ("real", "elsewhere", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "real/a.png").write_bytes(b"a")
    (tmp_path / "elsewhere/b.png").write_bytes(b"b")
    (tmp_path / "real/b.png").symlink_to("../elsewhere/b.png")
    (tmp_path / "linked").symlink_to("real")
    return tmp_path / "linked"


def test_links_lead_to_the_real_files(linked: Path) -> None:
    home = linked.parent
    placer = Placer(home / "out", "symlink")
    for name in ("a.png", "b.png"):
        placer.image(linked / name, PurePosixPath(name))
    assert (home / "out/a.png").readlink() == (home / "real/a.png").resolve()
    assert (home / "out/b.png").readlink() == (home / "elsewhere/b.png").resolve()


def test_a_missing_image_is_named_as_it_was_loaded(linked: Path) -> None:
    placer = Placer(linked.parent / "out", "hardlink")
    with pytest.raises(FileNotFoundError) as caught:
        placer.image(linked / "none.png", PurePosixPath("none.png"))
    assert Path(caught.value.filename) == linked / "none.png"
