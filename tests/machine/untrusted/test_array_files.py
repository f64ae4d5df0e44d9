"""NumPy files from untrusted sources: no pickles, no bombs, and one error for every kind of damage."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detreduce.machine.untrusted.array_files import read_npy, read_npz


class Evil:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


def test_arrays_are_read(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(["x", "yy"]), "c": np.array(3), "d": np.empty((0, 4))}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        read = read_npz(tmp_path / "a.npz")
        assert read.keys() == arrays.keys()
        assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
        assert list(read_npz(tmp_path / "a.npz", ["b"])) == ["b"]
    np.save(tmp_path / "a.npy", np.asfortranarray(arrays["a"]))
    assert np.array_equal(read_npy(tmp_path / "a.npy"), arrays["a"])


def test_a_pickle_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.array([Evil()], object), allow_pickle=True)
    np.savez("a.npz", a=np.array([Evil()], object))
    for read in (read_npy, read_npz):
        with pytest.raises(ValueError):
            read("a.npy" if read is read_npy else "a.npz")  # type: ignore[operator]
    assert not Path("ran").exists()


def header(shape: tuple[int, ...]) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return content.getvalue()


@pytest.mark.parametrize("shape", [(1 << 40, 1000), (-1, 5), (1 << 62, 1 << 62)])
def test_an_array_larger_than_its_file_is_not_made(tmp_path: Path, shape: tuple[int, ...]) -> None:
    (tmp_path / "a.npy").write_bytes(header(shape) + b"x" * 100)
    with pytest.raises(ValueError):
        read_npy(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", header(shape) + b"x" * 100)
    with pytest.raises(ValueError):
        read_npz(tmp_path / "a.npz")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w", force_zip64=True) as member,
    ):
        member.write(header((400 << 17,)))
        for _ in range(400):
            member.write(bytes(1 << 20))
    with pytest.raises(ValueError, match="expand"):
        read_npz(tmp_path / "a.npz")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_a_value_error_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    for name, save in (("a.npz", np.savez_compressed), ("b.npz", np.savez), ("a.npy", np.save)):
        save(tmp_path / name, np.arange(50))
        content = bytearray((tmp_path / name).read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        (tmp_path / name).write_bytes(content[: data.draw(st.integers(0, len(content)))])
        with contextlib.suppress(ValueError):
            read_npy(tmp_path / name) if name == "a.npy" else read_npz(tmp_path / name)
