"""Selections, caches, logs and records of the former version are read, and used instead of made again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from former_files import DATA, FILES
from typer.testing import CliRunner

import detreduce as dr
from detreduce.arrays.proxy_log import ProxyLog
from detreduce.cli import app

SELECTIONS = sorted((FILES / "selections").glob("*.json"))


@pytest.mark.parametrize("file", SELECTIONS, ids=lambda file: file.stem)
def test_a_selection_is_read_and_saved_as_it_was(file: Path, tmp_path: Path) -> None:
    selection = dr.Selection.load(file)
    dataset = dr.load_dataset(DATA)
    assert [dataset[int(row)].id for row in selection.indices] == list(selection.image_ids)
    saved = selection.save(tmp_path / "saved.json").read_bytes()
    assert saved == file.read_bytes()


def test_a_selection_is_written_as_a_subset(tmp_path: Path) -> None:
    selection = dr.Selection.load(FILES / "selections" / "prd_class_floor.json")
    dr.write_subset(dr.load_dataset(DATA), selection, tmp_path / "reduced")
    assert sorted(dr.load_dataset(tmp_path / "reduced" / "data.yaml").image_ids) == sorted(selection.image_ids)


@pytest.mark.parametrize("file", SELECTIONS, ids=lambda file: file.stem)
def test_a_selection_is_explained(file: Path) -> None:
    kept = dr.Selection.load(file).image_ids[0]
    result = CliRunner().invoke(app, ["explain", str(file), "--image", str(kept), "--data", str(DATA), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["kept"] is True


def test_an_earlier_selection_is_gone_on_from() -> None:
    earlier = dr.Selection.load(FILES / "selections" / "srs.json")
    later = dr.select(dr.load_dataset(DATA), "srs", keep=20, initial=earlier)
    assert later.image_ids[: len(earlier)] == earlier.image_ids


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return shutil.copytree(FILES / "cache", tmp_path / "cache")


@pytest.fixture
def no_image_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*arguments: object, **named: object) -> None:
        raise AssertionError("an image was decoded, though the cache has its numbers")

    monkeypatch.setattr(cv2, "imdecode", decode)


@pytest.mark.usefixtures("no_image_is_decoded")
def test_cached_features_are_found(cache: Path) -> None:
    dataset = dr.load_dataset(DATA, split="val")
    table = dr.extract_features(dataset, blocks=("image", "objects"), precision="float32", cache=cache)
    assert table.provenance["image"]["from_cache"] == len(dataset) == 9
    assert table.provenance["image"]["embedded"] == 0
    assert table.blocks["image"].shape == (9, 1280)
    assert float(np.linalg.norm(table.blocks["image"], axis=1).min()) > 1
    assert table.objects is not None and table.objects.vectors is not None


@pytest.mark.usefixtures("no_image_is_decoded")
def test_cached_signatures_are_found(cache: Path) -> None:
    found = dr.near_duplicates(dr.load_dataset(DATA, split="val"), cache=cache)
    assert found.provenance["from_cache"] == found.images == 9
    assert len(found.pairs) == 6


def test_a_proxy_log_is_read() -> None:
    log = ProxyLog.load(FILES / "proxy.npz")
    assert (log.epochs, len(log.image_ids)) == (3, 40)
    assert log.facts["model"] == "yolov8n.yaml"


def test_a_training_record_is_read_and_saved_as_it_was(tmp_path: Path) -> None:
    record = dr.TrainingRecord.load(FILES / "train")
    assert record.data.train_images == 40
    assert record.counts.epochs == 1
    written = json.loads((FILES / "train" / "record.json").read_text(encoding="utf-8"))
    record.save(tmp_path)
    saved = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    # newer than this record
    assert saved["data"].pop("problems") is None
    assert saved["counts"].pop("images_scored") == 0
    assert saved.pop("recipe") is None
    assert saved.pop("corrupted") == []
    assert saved == {**written, "run": str(FILES / "train")}  # where it is now
