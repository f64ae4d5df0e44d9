from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detreduce.arrays.proxy_log import MEASURES, ProxyLog
from detreduce.errors import DetreduceError, InputError, MissingFileError


def make_log(epochs: int = 3, ids: tuple[int | str, ...] = ("a.jpg", 7, "ü\udcff.jpg")) -> ProxyLog:
    rng = np.random.default_rng(0)
    images = np.array([0, 0, 2, 2, 2], np.int32)
    arrays = {name: rng.random((epochs, 5)).astype(kind) for name, kind in MEASURES.items()}
    corners = rng.random((5, 4)).astype(np.float16)
    return ProxyLog(
        ids, images, np.array([0, 1, 1, 0, 0], np.int32), corners, **arrays, facts={"epochs": epochs, "seed": 3}
    )


def test_what_is_saved_reads_back(tmp_path: Path) -> None:
    log = make_log()
    file = log.save(tmp_path / "deep" / "proxy.npz")
    back = ProxyLog.load(file)
    assert back.image_ids == log.image_ids
    assert back.facts == log.facts
    assert repr(back) == "ProxyLog(3 epochs, 5 boxes in 3 images)"
    for name, kind in {"box_images": "i4", "box_classes": "i4", "box_corners": "f2", **MEASURES}.items():
        assert getattr(back, name).dtype == kind
        np.testing.assert_array_equal(getattr(back, name), getattr(log, name))
    assert [path.name for path in file.parent.iterdir()] == ["proxy.npz"]


def test_a_damaged_file_is_one_clear_error(tmp_path: Path) -> None:
    whole = make_log().save(tmp_path / "proxy.npz").read_bytes()
    cut = tmp_path / "cut.npz"
    for length in range(0, len(whole) - 1, 41):
        cut.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"cut\.npz is not a proxy log.*detreduce proxy"):
            ProxyLog.load(cut)
    for place in range(40, len(whole), 97):
        flipped = bytearray(whole)
        flipped[place] ^= 0xFF
        cut.write_bytes(flipped)
        try:
            ProxyLog.load(cut)
        except InputError as error:
            assert "cut.npz" in str(error)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    for name, content in {"a.npz": b"no archive", "b.npz": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=r"\.npz"):
            ProxyLog.load(tmp_path / name)
    np.savez(tmp_path / "c.npz", x=np.arange(3))
    with pytest.raises(InputError, match="is not a proxy log"):
        ProxyLog.load(tmp_path / "c.npz")
    with pytest.raises(MissingFileError, match="detreduce proxy"):
        ProxyLog.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"box_images": np.array([0, 2, 0, 2, 2])}, "box_images.*from 0 to 2"),
        ({"box_images": np.array([0, 0, 2, 2, 3])}, "box_images.*from 0 to 2"),
        ({"box_classes": np.array([0])}, "box_classes"),
        ({"box_corners": np.zeros((5, 3))}, r"must be \(5, 4\)"),
        ({"iou": np.zeros((3, 4))}, "epochs x boxes"),
        ({"loss": np.zeros((2, 5))}, "loss"),
        ({"margin": np.full((3, 5), np.nan)}, "margin.*not finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        replace(make_log(), **change)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(DetreduceError, match="No space left") as caught:
        make_log().save(tmp_path / "proxy.npz")
    assert not isinstance(caught.value, InputError)
    assert not list(tmp_path.iterdir())
