"""One module opens untrusted files: only regular files, and at most the allowed number of bytes."""

from __future__ import annotations

import ast
import errno
import os
import socket
from pathlib import Path

import pytest

import detreduce
from detreduce.machine.untrusted.regular_files import is_regular, open_regular, read_regular, read_text

# files of the package, of the system and of the run itself, whose paths no dataset or ledger names
OWN = {
    "machine/processors.py",
    "machine/regular_files.py",
    "report/page.py",
    "reducers/catalogue.py",
    "features/pixels/precision.py",
    "training/concurrent_runs.py",
    "training/run/loggers.py",
    "training/evaluation/robustness.py",  # it asks is_regular first
    "training/run/reading/quiet_images.py",  # it asks is_regular first
    "pages/environment.py",
    # decodes an image that was opened before
    "ultralytics_bridge/shown_size.py",
    "ultralytics_bridge/config_folder.py",
    "cli/exit_codes.py",
    # the child process decodes images that were opened before
    "dataset/jpeg.py",
}


def make_special(path: Path, kind: str) -> Path:
    """A path that is not a regular file, at `path`."""
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        # the name of a socket may have only 107 bytes
        here = Path.cwd()
        os.chdir(path.parent)
        try:
            socket.socket(socket.AF_UNIX).bind(path.name)
        finally:
            os.chdir(here)
    else:
        path.symlink_to({"zero": "/dev/zero", "loop": path, "tty": "/dev/tty"}[kind])
    return path


SPECIAL = ("fifo", "folder", "socket", "zero", "loop")


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = make_special(tmp_path / "a.txt", kind)
    for read in (open_regular, lambda path: read_regular(path, 100), lambda path: read_text(path, 100)):
        with pytest.raises(OSError) as caught:
            read(path)  # type: ignore[operator]
        assert caught.value.filename == str(path) and caught.value.strerror


def test_a_file_that_is_replaced_by_a_fifo_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the check of a path and the call of open, another program may put a FIFO there."""
    path, real = tmp_path / "a.txt", os.open
    path.write_text("0 0.5 0.5 1 1\n")

    def swap(name: object, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return real(path, flags)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(OSError, match="named pipe"):
        read_regular(path, 100)


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_file_up_to_the_limit_is_read_whole(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(os.urandom(size))
    assert read_regular(path, 100) == path.read_bytes()


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="more than"):
        read_regular(path, 1 << 20)


def test_a_file_without_a_size_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the kernel has no size, and another file may grow while it is read."""
    path, real = tmp_path / "a", os.fstat
    path.write_bytes(b"x" * 1000)
    monkeypatch.setattr(os, "fstat", lambda number: os.stat_result((*real(number)[:6], 0, 0, 0, 0)))
    assert read_regular(path, 1000) == b"x" * 1000
    with pytest.raises(OSError, match="more than"):
        read_regular(path, 999)
    monkeypatch.undo()
    assert b"cpu" in read_regular("/proc/stat", 1 << 20)


def test_line_ends_are_those_of_text(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert read_text(path, 100, "utf-8-sig") == path.read_text(encoding="utf-8-sig") == "a\nb\nc\n"


def test_no_other_module_opens_files_to_read() -> None:
    """Other code that opens a file would wait for a FIFO, or read a device without end."""
    root = Path(detreduce.__file__).parent
    found = []
    for file in sorted(root.rglob("*.py")):
        name = file.relative_to(root).as_posix()
        if name in OWN:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _reads(node):
                found.append(f"{name}:{node.lineno}")
    assert not found, f"use detreduce.machine.untrusted.regular_files: {', '.join(found)}"


def _reads(node: ast.Call) -> bool:
    """Return whether a call reads a file, or parses JSON or YAML that may come from a file."""
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    of = getattr(called.value, "id", "") if isinstance(called, ast.Attribute) else ""
    if name in ("read_bytes", "safe_load", "fromfile", "imread"):
        return True
    if name == "read_text":
        return isinstance(called, ast.Attribute)
    if name == "open":
        modes = {part.value for part in (*node.args, *(word.value for word in node.keywords)) if _is_mode(part)}
        return of not in ("os", "archive") and not any(set(str(mode)) & set("wax") for mode in modes)
    return (of, name) in {("np", "load"), ("json", "load"), ("yaml", "load")}


def _is_mode(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 4


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_regular_file_is_none(tmp_path: Path, kind: str) -> None:
    assert not is_regular(make_special(tmp_path / "a.txt", kind))


def test_a_text_that_is_no_path_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    assert is_regular(tmp_path / "a.txt")
    for text in ("b.txt", "a.txt/b.txt", "x" * 5000, "a\0b", "\ud800"):
        assert not is_regular(f"{tmp_path}/{text}")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE])
def test_a_file_that_the_machine_does_not_show_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def stat(path: str, **_: object) -> os.stat_result:
        raise OSError(number, os.strerror(number), path)

    with monkeypatch.context() as patch, pytest.raises(OSError) as caught:
        patch.setattr(os, "stat", stat)
        is_regular(tmp_path / "a.txt")
    assert caught.value.errno == number


def test_one_function_says_what_a_file_is() -> None:
    """`Path.is_file` raises or hides errors, depending on the version of Python, and `os.path.isfile` hides them."""
    root = Path(detreduce.__file__).parent
    others = []
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("is_file", "isfile"):
                others.append(ast.unparse(node))
    # an entry of os.scandir knows it without a system call
    assert set(others) == {"entry.is_file"}
