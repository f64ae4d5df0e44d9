"""The steps of one request: each step uses the request's options, and labels follow the remaining rows."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import detreduce as dr
from detreduce.dataset.records import DetectionDataset, ImageRecord, Source
from detreduce.duplicates import exact_duplicates, near_duplicates
from detreduce.features.extract import extract_features
from detreduce.features.request import Extraction
from detreduce.features.table import FeatureTable
from detreduce.reduction import Reduction, ReductionRequest, run
from detreduce.selection.request import CompositionRequest, SelectionRequest

IMAGES = 12


@pytest.fixture
def dataset(tmp_path: Path) -> DetectionDataset:
    """Images of one colour each: 0, 1 and 2 are copies, 5 and 6 are copies; the others differ."""
    colours = [0, 0, 0, 3, 4, 5, 5, 7, 8, 9, 10, 11]
    records = []
    for row in range(IMAGES):
        path = tmp_path / f"{row:02}.png"
        Image.new("RGB", (8, 8), (20 * colours[row], 9, 99)).save(path)
        boxes = np.full((1, 4), 0.5)
        records.append(ImageRecord(path.name, path.name, path, boxes, np.array([row % 3]), np.zeros(1, bool), 8, 8))
    source = Source("yolo", tmp_path, tmp_path)
    return DetectionDataset(tuple(records), ("ant", "bee", "cow"), (0, 1, 2), "cxcywhn", "train", source)


@pytest.fixture
def vectors(dataset: DetectionDataset, tmp_path: Path) -> str:
    """Vectors in a CSV: 7 is like 3, and 11 like 2."""
    found = np.random.default_rng(0).normal(size=(IMAGES, 6))
    found[7], found[11] = found[3] * 1.001, found[2] * 0.999
    lines = [f"{record.name},{','.join(map(str, row))}" for record, row in zip(dataset, found.tolist(), strict=True)]
    (tmp_path / "vectors.csv").write_text("\n".join(["image,a,b,c,d,e,f", *lines]) + "\n")
    return f"file:{tmp_path / 'vectors.csv'}"


@pytest.mark.parametrize("seed", range(8))
def test_group_labels_follow_the_images_that_can_be_read(dataset: DetectionDataset, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(4), rng.integers(4, size=IMAGES - 4)])
    rng.shuffle(groups)
    rows = np.delete(np.arange(IMAGES), rng.integers(IMAGES, size=3))
    table = FeatureTable(dataset, rows, {"image": rng.normal(size=(len(rows), 4)).astype(np.float32)})
    there = len(set(groups[rows]))
    composition = CompositionRequest.of(groups=groups, max_per_group=1)
    request = ReductionRequest(dataset, selection=SelectionRequest("mms", there, seed, None, composition))
    chosen = Reduction(request, dataset).choose(table, None)
    assert len({groups[dataset.row_of[image]] for image in chosen.image_ids}) == there


def test_vectors_for_duplicates_need_no_proxy(dataset: DetectionDataset, vectors: str, tmp_path: Path) -> None:
    composition = CompositionRequest.of(drop_duplicates="features")
    extraction = Extraction(vectors, proxy=tmp_path / "none.npz")
    request = ReductionRequest(dataset, None, SelectionRequest("el2n", 3, composition=composition), extraction)
    found = Reduction(request, dataset).find_duplicates(dataset)
    alone = near_duplicates(extract_features(dataset, vectors, ("image",)), by="features")
    assert found is not None and found.pairs == alone.pairs and len(found.pairs) == 2


def test_the_seed_of_the_request_decides_which_copy_is_kept(dataset: DetectionDataset) -> None:
    kept = set()
    for seed in range(8):
        composition = CompositionRequest.of(drop_duplicates="exact")
        request = ReductionRequest(dataset, selection=SelectionRequest(seed=seed, composition=composition))
        found = Reduction(request, dataset).find_duplicates(dataset)
        assert found is not None and found.pairs == exact_duplicates(dataset, seed=seed).pairs
        kept.add(tuple(pair.kept for pair in found.pairs))
    assert len(kept) > 1


@pytest.mark.parametrize("option", ["must_keep", "initial"])
def test_a_named_copy_is_the_one_that_is_kept(dataset: DetectionDataset, option: str) -> None:
    for named in ("00.png", "01.png", "02.png"):
        composition = CompositionRequest.of(drop_duplicates="exact", **{option: [named]})
        request = ReductionRequest(dataset, selection=SelectionRequest("srs", 9, composition=composition))
        reduction = Reduction(request, dataset)
        chosen = reduction.choose(dataset, reduction.find_duplicates(dataset))
        assert {"00.png", "01.png", "02.png"} & set(chosen.image_ids) == {named}


@pytest.mark.parametrize(
    ("method", "blocks", "expected"),
    [
        ("mms", ("image", "annotations"), [("image", "annotations")]),
        ("mms", ("annotations",), [("annotations",), ("image",)]),
        ("srs", None, [("image",)]),
    ],
)
def test_image_vectors_are_extracted_once(
    dataset: DetectionDataset, vectors: str, method: str, blocks: tuple[str, ...] | None, expected: list[Any]
) -> None:
    composition = CompositionRequest.of(drop_duplicates="features")
    request = ReductionRequest(
        dataset, None, SelectionRequest(method, 3, composition=composition), Extraction(vectors, blocks)
    )
    assert [extraction.blocks for extraction in Reduction(request, dataset).extractions] == expected


def test_every_keyword_of_reduce_reaches_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    caught: list[Any] = []
    monkeypatch.setattr(run, "run_reduction", caught.append)
    given = {name: f"<{name}>" for name in inspect.signature(dr.reduce).parameters if name != "parameters"}
    given |= {
        "initial": ("<initial>",),
        "must_keep": ("<must_keep>",),
        "exclude": ("<exclude>",),
        "class_floor": {"<class_floor>": 7},
        "say": print,
    }
    dr.reduce(**{**given, "drop_duplicates": {"by": "features", "threshold": 0.125}, "special": 3})  # type: ignore[arg-type]
    (request,) = caught
    selection, extraction, output = request.selection, request.extraction, request.output
    composition = selection.composition
    assert selection.parameters == {"special": 3}
    assert (request.data, request.split, request.images) == ("<data>", "<split>", "<images>")
    assert (output.folder, output.link, output.format, output.overwrite) == (
        "<output>",
        "<link>",
        "<format>",
        "<overwrite>",
    )
    names = ("method", "keep", "seed", "categories", "cache")
    assert [getattr(selection, name) for name in names] == [f"<{name}>" for name in names]
    names = ("backbone", "blocks", "unreadable", "cache", "proxy")
    assert [getattr(extraction, name) for name in names] == [f"<{name}>" for name in names]
    assert composition.must_keep == ("<must_keep>",) and composition.initial == ("<initial>",)
    assert composition.exclude == ("<exclude>",)
    assert composition.class_floor == {"<class_floor>": 7}
    assert (composition.groups, composition.max_per_group) == ("<groups>", "<max_per_group>")
    assert (composition.drop_duplicates.by, composition.drop_duplicates.threshold) == ("features", 0.125)
