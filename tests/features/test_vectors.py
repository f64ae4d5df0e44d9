"""A person's own vectors: matched by name, never by position."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hand_made import dataset_of

from detreduce.errors import InputError
from detreduce.features import extract_features


def table_of(path: Path, paths: list[Path]) -> np.ndarray:
    return extract_features(dataset_of(paths, paths[0].parent.parent), f"file:{path}", ("image",)).blocks["image"]


def test_csv_is_matched_by_name(photos: list[Path], tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(len(photos))
    lines = ["image,a,b", *(f"photos/{photos[i].name},{i},{i / 8}" for i in order), "photos/other.jpg,7,7"]
    path = tmp_path / "v.csv"
    path.write_text("\n".join(lines) + "\n")
    assert table_of(path, photos).tolist() == [[i, i / 8] for i in range(len(photos))]
    path.write_text("\n".join(line.replace("photos/", "") for line in lines[1:]))
    assert table_of(path, photos).tolist() == [[i, i / 8] for i in range(len(photos))]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-2], "no row for 2 of 12 images: photos/photo10.jpg, photos/photo11.jpg"),
        (lambda lines: [*lines, lines[3]], r"v\.csv:13: .*photo03\.jpg .*line 4"),
        (lambda lines: [*lines[:5], lines[5] + ",9", *lines[6:]], r"v\.csv:6: .* 3 numbers"),
        (lambda lines: [*lines[:5], lines[5] + "x", *lines[6:]], r"v\.csv:6: '.*x' is not a number"),
        (lambda lines: [*lines[:5], lines[5].rpartition(",")[0] + ",nan", *lines[6:]], r"v\.csv:6: expected finite"),
        (lambda lines: [], "no row for 12 of 12"),
    ],
)
def test_bad_csv(photos: list[Path], tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "v.csv"
    path.write_text("\n".join(change([f"photos/{photo.name},{i},{i}" for i, photo in enumerate(photos)])))
    with pytest.raises(InputError, match=message):
        table_of(path, photos)


def test_equal_file_names_in_two_folders_need_the_folder(tmp_path: Path) -> None:
    paths = [tmp_path / "data" / folder / "a.jpg" for folder in ("x", "y")]
    dataset = dataset_of(paths, tmp_path / "data")
    (tmp_path / "v.csv").write_text("y/a.jpg,2\nx/a.jpg,1\n")
    assert extract_features(dataset, f"file:{tmp_path}/v.csv", ("image",)).blocks["image"].tolist() == [[1], [2]]
    (tmp_path / "v.csv").write_text("a.jpg,2\nx/a.jpg,1\n")
    with pytest.raises(InputError, match=r"no row for 1 of 2 images: y/a\.jpg"):
        extract_features(dataset, f"file:{tmp_path}/v.csv", ("image",))


def test_npy_beyond_float32_is_named(photos: list[Path], tmp_path: Path) -> None:
    vectors = np.zeros((12, 2))
    vectors[3, 1] = 1e39
    np.save(tmp_path / "v.npy", vectors)
    with pytest.raises(InputError, match=r"row 3 \(.*photo03\.jpg\) .*beyond float32"):
        table_of(tmp_path / "v.npy", photos)


def test_csv_of_longer_paths_is_matched_by_file_name_where_unique(photos: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    lines = [f"/mnt/else/{photo.name},{i}" for i, photo in enumerate(photos)]
    path.write_text("\n".join(lines))
    assert table_of(path, photos).tolist() == [[i] for i in range(len(photos))]
    path.write_text("\n".join([*lines, "/mnt/other/photo03.jpg,5"]))
    with pytest.raises(InputError, match=r"no row for 1 of 12 images: photos/photo03\.jpg.*/mnt/else/photo03"):
        table_of(path, photos)
    # if whole names match, an image with the same name in another folder is another image
    whole = [f"photos/{photo.name},{i}" for i, photo in enumerate(photos)]
    path.write_text("\n".join([*whole[:3], lines[3], *whole[4:]]))
    with pytest.raises(InputError, match="no row for 1 of 12"):
        table_of(path, photos)


def test_csv_that_is_not_utf8(photos: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_bytes(b"caf\xe9.jpg,1\n")
    with pytest.raises(InputError, match=r"no row for 12 of 12 images: photos/photo00.*'caf.*not UTF-8"):
        table_of(path, photos)


def test_npy(photos: list[Path], tmp_path: Path) -> None:
    vectors = np.arange(24.0).reshape(12, 2)
    np.save(tmp_path / "v.npy", vectors)
    assert table_of(tmp_path / "v.npy", photos).tolist() == vectors.tolist()
    for bad, message in [
        (vectors[:-1], "11 rows .* 12"),
        (vectors[:, 0], "two-dimensional"),
        (np.where(vectors == 5, np.nan, vectors), r"row 2 \(photos/photo02.jpg\)"),
        (vectors.astype(str), "two-dimensional array of numbers"),
    ]:
        np.save(tmp_path / "bad.npy", bad)
        with pytest.raises(InputError, match=message):
            table_of(tmp_path / "bad.npy", photos)
    (tmp_path / "bad.npy").write_text("no array")
    with pytest.raises(InputError, match="cannot be read"):
        table_of(tmp_path / "bad.npy", photos)
