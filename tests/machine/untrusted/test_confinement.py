"""DETREDUCE_ROOT limits which files may be read."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from detreduce.dataset.load import load_dataset
from detreduce.dataset.paths.listing import find_files
from detreduce.errors import InputError
from detreduce.machine.untrusted.confinement import VARIABLE, is_outside_root
from detreduce.machine.untrusted.regular_files import YAMLS, is_regular, open_regular, read_regular


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("root", "root2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text("a")
    (tmp_path / "root" / "link.txt").symlink_to(tmp_path / "root2" / "a.txt")
    (tmp_path / "root" / "far").symlink_to(tmp_path / "root2")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "root"))
    return tmp_path / "root"


def test_files_outside_cannot_be_opened(root: Path) -> None:
    assert read_regular(root / "a.txt", YAMLS) == b"a" and is_regular(root / "a.txt")
    for path in (root.parent / "root2" / "a.txt", root / "link.txt", root / "far" / "a.txt", root / "../root2/a.txt"):
        assert is_outside_root(path) and not is_regular(path)
        with pytest.raises(OSError) as raised:
            open_regular(path)
        assert raised.value.errno == errno.EACCES
    # a missing file outside is not told apart from a file that is there
    with pytest.raises(OSError) as raised:
        open_regular(root.parent / "root2" / "missing.txt")
    assert raised.value.errno == errno.EACCES


def test_folders_outside_cannot_be_listed(root: Path) -> None:
    with pytest.raises(OSError):
        find_files(root, {".txt"})
    (root / "far").unlink()
    assert find_files(root, {".txt"}) == ["a.txt", "link.txt"]
    with pytest.raises(OSError):
        find_files(root.parent / "root2", {".txt"})


def test_without_the_variable_nothing_is_limited(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert read_regular(root / "link.txt", YAMLS) == b"a"
    assert not is_outside_root("/etc/passwd")


def test_the_root_itself_and_packages_are_inside(root: Path) -> None:
    assert not is_outside_root(root) and not is_outside_root(f"{root}/")
    assert not is_outside_root(pytest.__file__)
    assert not is_outside_root("a\0b")


def test_a_dataset_may_not_name_folders_outside(root: Path) -> None:
    (root / "data.yaml").write_text(f"path: {root.parent / 'root2'}\ntrain: .\nnames: [a]\n")
    with pytest.raises(InputError, match="outside"):
        load_dataset(root / "data.yaml")
