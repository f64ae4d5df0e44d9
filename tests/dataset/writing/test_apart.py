"""No output, cache, export or report is written into the folders of the source."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_changed_source import coco, unlabelled, voc, yolo

import detreduce as dr
from detreduce.dataset.writing.apart import _matches
from detreduce.errors import InputError


def yolo_glob(root: Path) -> Path:
    yolo(root)
    (root / "data.yaml").write_text("train: images/tr*\nval: '*/val'\ntest: all*/**/*.jpg\nnames: [a, b]\n")
    return root / "data.yaml"


PLACES = [
    (yolo, "labels"), (yolo, "labels/new"), (yolo, "labels/train/new"), (yolo, "images/train/new"), (yolo, "."),
    (yolo_glob, "images/trial"), (yolo_glob, "new/val"), (yolo_glob, "new"), (yolo_glob, "allthat/new"),
    (voc, "Annotations/new"), (voc, "ImageSets/new"), (voc, "ImageSets/Main/new"), (voc, "JPEGImages/new"),
    (voc, "SegmentationClass/new"), (coco, "images/new"), (unlabelled, "new"),
]  # fmt: skip


def state(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in [root, *root.rglob("*")]}


@pytest.mark.parametrize(("make", "place"), PLACES)
def test_an_output_where_the_source_is_read_from(make: Callable[[Path], Path], place: str, tmp_path: Path) -> None:
    dataset = dr.load_dataset(make(tmp_path / "set"))
    before = state(tmp_path)
    for _ in range(2):
        with pytest.raises(InputError, match=r"overlap|contains"):
            dr.reduce(dataset, tmp_path / "set" / place)
        assert state(tmp_path) == before
        # through a link, too
        (tmp_path / "link").symlink_to(tmp_path / "set")
        with pytest.raises(InputError, match=r"overlap|contains"):
            dr.write_subset(dataset, dataset.image_ids, tmp_path / "link" / place)
        (tmp_path / "link").unlink()
        before = state(tmp_path)


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (yolo, "reduced"),
        (yolo, "images/reduced"),
        (yolo_glob, "images/other"),
        (voc, "reduced"),
        (coco, "annotations/reduced"),
    ],
)
def test_an_output_beside_it(make: Callable[[Path], Path], place: str, tmp_path: Path) -> None:
    dataset = dr.load_dataset(make(tmp_path / "set"))
    dr.write_subset(dataset, dataset.image_ids[:1], tmp_path / "set" / place)
    assert dr.load_dataset(dataset.source.path).image_ids == dataset.image_ids


names = st.sampled_from(["a", "ab", "b", "data", "[x]", "x"])
patterns = st.sampled_from(["*", "a*", "**", "?", "[ab]", "a", "b"])


@given(st.lists(patterns, min_size=1, max_size=4), st.lists(names, min_size=1, max_size=4), st.lists(names, max_size=3))
def test_what_a_glob_matches_is_found(wanted: list[str], place: list[str], below: list[str]) -> None:
    """If the pattern would match the output or a file in the output, the output is refused."""
    import glob as globbing

    if not any(globbing.has_magic(part) for part in wanted):
        wanted = [*wanted, "*"]
    pattern, output = "/top/" + "/".join(wanted), Path("/top", *place)
    file = output.joinpath(*below)
    if hasattr(globbing, "translate"):
        import re

        matched = any(
            re.fullmatch(globbing.translate(pattern, recursive=True, include_hidden=True), str(part))
            for part in [file, *file.parents]
            if len(part.parts) > 2
        )
    else:
        matched = "**" not in wanted and any(part.match(pattern) for part in [file, *file.parents])
    if matched and any(part in (output, *output.parents) or output in part.parents for part in [file]):
        assert _matches(output, pattern)


@pytest.mark.parametrize(
    ("make", "place"),
    [(yolo, "images/train/c"), (yolo, "labels/c"), (coco, "images"), (voc, "Annotations/c"), (unlabelled, "c")],
)
def test_a_cache_where_the_source_is_read_from(
    make: Callable[[Path], Path], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = dr.load_dataset(make(tmp_path / "set"))
    before = state(tmp_path)
    cache = tmp_path / "set" / place
    with pytest.raises(InputError, match="cache"):
        dr.extract_features(dataset, blocks=["image"], cache=cache)
    with pytest.raises(InputError, match="cache"):
        dr.select(dataset, keep=1, drop_duplicates=True, cache=cache)
    with pytest.raises(InputError, match="cache"):
        dr.reduce(dataset, tmp_path / "out", "mms", cache=cache)
    monkeypatch.setenv("DETREDUCE_CACHE", str(cache))
    with pytest.raises(InputError, match="cache"):
        dr.reduce(dataset, tmp_path / "out", "mms")
    assert state(tmp_path) == before


def test_an_export_never_replaces_a_file_of_a_dataset(tmp_path: Path) -> None:
    dataset = dr.load_dataset(yolo(tmp_path / "set"))
    selection = dr.select(dataset, keep=2)
    selection.save(tmp_path / "selection.json")
    reduced = dr.write_subset(dataset, selection, tmp_path / "out").source.root
    own = [path for path in [*(tmp_path / "set").rglob("*"), *reduced.rglob("*")] if path.is_file()]
    for target in [
        *own,
        tmp_path / "selection.json",
        tmp_path / "set/labels/val/new.txt",
        tmp_path / "set/images/val/x",
    ]:
        before = target.read_bytes() if target.exists() else None
        for form in ("list", "csv", "coco"):
            with pytest.raises(InputError, match=r"Choose another path"):
                dr.export_selection(dataset, selection, target, form=form, overwrite=True)
        assert (target.read_bytes() if target.exists() else None) == before
    (tmp_path / "link.txt").symlink_to(tmp_path / "set/labels/val/0.txt")
    with pytest.raises(InputError, match="Choose another path"):
        dr.export_selection(dataset, selection, tmp_path / "link.txt", form="list", overwrite=True)
    for _ in range(2):
        dr.export_selection(dataset, selection, tmp_path / "kept.txt", form="list", overwrite=True)


def test_an_export_never_replaces_the_json_of_another_split(tmp_path: Path) -> None:
    coco(tmp_path / "set")
    content = (tmp_path / "set/train.json").read_text()
    (tmp_path / "set/val.json").write_text(content)
    yaml = (
        "format: coco\ntrain: {annotations: train.json, images: images}\nval: {annotations: val.json, images: images}\n"
    )
    (tmp_path / "set/data.yaml").write_text(yaml)
    dataset = dr.load_dataset(tmp_path / "set/data.yaml")
    with pytest.raises(InputError, match="file of the dataset"):
        dr.export_selection(dataset, dr.select(dataset, keep=1), tmp_path / "set/val.json", form="coco", overwrite=True)
    assert json.loads((tmp_path / "set/val.json").read_text()) == json.loads(content)
