"""Large arrays are mapped to files: new arrays, arrays in .npy files, and the features that are made of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import detreduce as dr
from detreduce.arrays.object_table import ObjectTable
from detreduce.dataset.demo import make_demo
from detreduce.features.table import FeatureTable, scaled_blocks
from detreduce.machine import large_arrays
from detreduce.machine.large_arrays import new_array
from detreduce.machine.untrusted import array_files
from detreduce.machine.untrusted.array_files import read_npy
from detreduce.reducers import make_reducer

mapping = pytest.mark.skipif(not hasattr(large_arrays.os, "posix_fallocate"), reason="needs posix_fallocate")


def is_mapped(array: np.ndarray) -> bool:
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, large_arrays.mmap.mmap) or isinstance(getattr(array, "obj", None), large_arrays.mmap.mmap)


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_arrays, "LARGE", 1)
    monkeypatch.setattr(array_files, "MAPPED", 1)


@mapping
def test_only_large_arrays_are_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_arrays, "LARGE", 800)
    small, large = new_array((99,), np.float64), new_array((10, 10), np.float64)
    assert not is_mapped(small)
    assert is_mapped(large)
    large[:] = 3
    assert large.sum() == 300
    assert large.flags.writeable
    assert large.flags.c_contiguous


@mapping
def test_memory_is_used_if_the_disk_is_full(monkeypatch: pytest.MonkeyPatch, all_large: None) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(large_arrays.os, "posix_fallocate", full)
    array = new_array((3, 4), np.float32)
    assert array.shape == (3, 4)
    assert not is_mapped(array)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f2", "<f4", ">f4", "<i8"])
def test_npy_is_the_same_when_mapped(tmp_path: Path, all_large: None, kind: str, order: str) -> None:
    values = np.asarray(np.arange(12).reshape(3, 4), kind, order=order)
    np.save(tmp_path / "a.npy", values)
    found = read_npy(tmp_path / "a.npy")
    assert is_mapped(found)
    assert np.array_equal(found, values)
    assert found.dtype == values.dtype
    assert not found.flags.writeable


def test_short_npy_is_refused_when_mapped(tmp_path: Path, all_large: None) -> None:
    np.save(tmp_path / "a.npy", np.zeros((100, 10)))
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data[:-8])
    with pytest.raises(ValueError, match="shorter"):
        read_npy(tmp_path / "a.npy")


def test_scaling_is_the_same_for_mapped_float16() -> None:
    values = np.random.default_rng(0).standard_normal((9000, 7)).astype(np.float16)
    expected = scaled_blocks({"image": values.astype(np.float32)}, 9000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_arrays, "LARGE", 1)
        found = scaled_blocks({"image": values}, 9000)
    assert np.array_equal(found, expected)
    # the columns of a transposed array are in another order in memory
    turned = np.asfortranarray(values.astype(np.float32))
    plain = np.array(turned, np.float64)
    plain -= plain.mean(axis=0)
    plain /= np.sqrt(np.einsum("ij,ij->", plain, plain) / len(plain))
    assert np.array_equal(scaled_blocks({"image": turned}, 9000), plain.astype(np.float32))


def test_same_images_are_chosen_from_a_mapped_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_demo(tmp_path / "data", scenes=30, size=32)
    dataset = dr.load_dataset(tmp_path / "data" / "data.yaml")
    vectors = np.random.default_rng(0).standard_normal((len(dataset), 8)).astype(np.float16)
    np.save(tmp_path / "half.npy", vectors)
    np.save(tmp_path / "single.npy", vectors.astype(np.float32))

    def chosen(name: str) -> dict[str, tuple[int | str, ...]]:
        table = dr.extract_features(dataset, f"file:{tmp_path / name}", ["image"])
        assert isinstance(table, FeatureTable)
        return {method: dr.select(table, method, 0.3).image_ids for method in ("mms", "facility", "moderate", "prd")}

    expected = chosen("single.npy")
    monkeypatch.setattr(large_arrays, "LARGE", 1)
    monkeypatch.setattr(array_files, "MAPPED", 1)
    assert chosen("half.npy") == expected
    assert chosen("single.npy") == expected


def test_bad_value_in_a_mapped_file(tmp_path: Path, all_large: None) -> None:
    make_demo(tmp_path / "data", scenes=10, size=32)
    dataset = dr.load_dataset(tmp_path / "data" / "data.yaml")
    vectors = np.zeros((len(dataset), 8), np.float16)
    vectors[5, 3] = np.inf
    np.save(tmp_path / "half.npy", vectors)
    with pytest.raises(dr.errors.InputError, match="row 5 "):
        dr.extract_features(dataset, f"file:{tmp_path / 'half.npy'}", ["image"])


@pytest.mark.parametrize(("method", "options"), [("csod", {}), ("herding", {}), ("herding", {"match": "mmd"})])
def test_same_images_are_chosen_by_float16_vectors_of_objects(method: str, options: dict[str, str]) -> None:
    draw = np.random.default_rng(0)
    images, classes = draw.integers(0, 300, 2000), draw.integers(0, 5, 2000)
    half = draw.standard_normal((2000, 16)).astype(np.float16)
    whole = ObjectTable.from_boxes(images, classes, 300, 5, vectors=half.astype(np.float32))
    assert whole.vectors is not None
    rounded = whole.vectors.astype(np.float16)
    chosen = [
        make_reducer(method, keep=0.2, **options).fit(np.empty((300, 0)), objects=replace(whole, vectors=vectors))
        for vectors in (rounded.astype(np.float32), rounded)
    ]
    assert np.array_equal(chosen[0].selected_idx_, chosen[1].selected_idx_)
