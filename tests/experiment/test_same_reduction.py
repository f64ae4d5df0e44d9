"""One request gives the same images with `dr.reduce`, with the command and in a cell, and fails early in all three."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

import detreduce as dr
from detreduce.cli import app
from detreduce.errors import InputError
from detreduce.experiment import run as run_module
from detreduce.experiment.run import run_experiment
from detreduce.features.extract import extract_features
from detreduce.selection.record import Selection

METHODS = ["srs", "mms", "class_coverage", "stride"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Sixteen images of noise; 5 is a copy of 4, 9 is 8 mirrored; by the vectors 7 is like 3, and 11 nearly like 2."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(16, 12))
    vectors -= vectors.mean(axis=0)
    vectors[7], vectors[11] = vectors[3], vectors[2] + rng.normal(size=12) * 0.2
    for row in range(16):
        image = tmp_path / "set" / "images" / f"{row:02}.png"
        label = tmp_path / "set" / "labels" / f"{row:02}.txt"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(image)
        label.write_text("".join(f"{(row + box) % 3} 0.5 0.5 0.2 0.{2 + box}\n" for box in range(1 + row % 2)))
    images = tmp_path / "set" / "images"
    (images / "05.png").write_bytes((images / "04.png").read_bytes())
    Image.fromarray(np.asarray(Image.open(images / "08.png"))[:, ::-1]).save(images / "09.png")
    lines = [f"{row:02}.png,{','.join(map(str, vector))}" for row, vector in enumerate(vectors.tolist())]
    names = ",".join(f"x{column}" for column in range(12))
    (tmp_path / "vectors.csv").write_text("\n".join([f"image,{names}", *lines]) + "\n")
    file = tmp_path / "set" / "data.yaml"
    file.write_text("train: images\nval: images\nnames: [ant, bee, cow]\n")
    return file


class Ways:
    """The three ways to reduce. Each takes the same options and returns the chosen images of each method."""

    def __init__(self, data: Path, **features: Any) -> None:
        self.data, self.folder = data, data.parent.parent
        self.features = {"backbone": f"file:{self.folder / 'vectors.csv'}"} | features

    def in_python(self, methods: list[str], keep: float | int, **options: Any) -> dict[str, list[str]]:
        return {
            method: list(
                dr.reduce(
                    self.data, self.folder / f"python-{method}-{keep}", method, keep, **self.features, **options
                ).selection.image_ids
            )
            for method in methods
        }

    def by_command(self, methods: list[str], keep: float | int, **options: Any) -> dict[str, list[str]]:
        found = {}
        for method in methods:
            place = self.folder / f"command-{method}-{keep}"
            arguments = ["reduce", self.data, "-o", place, "-m", method, "-k", keep, *self._typed(options)]
            result = CliRunner().invoke(app, [str(argument) for argument in arguments])
            if result.exit_code == 2:
                raise InputError(result.output)
            assert result.exit_code == 0, result.output
            found[method] = json.loads((place / "selection.json").read_text())["image_ids"]
        return found

    def in_a_cell(self, methods: list[str], keep: float | int, **options: Any) -> dict[str, list[str]]:
        # two keeps: a cell of a nested method is a prefix of a larger fit
        content = {
            "name": "x",
            "dataset": str(self.data),
            "features": self.features,
            "reduce": {"methods": methods, "keep": [keep, 9], **options},
            "train": {"model": "yolov8n.yaml"},
            "evaluate": {"on": "val"},
            "allow_leaks": True,
            "controls": [],
        }
        (self.folder / "x.yaml").write_text(yaml.safe_dump(content))
        ledger = run_experiment(self.folder / "x.yaml", self.folder / "ledger")
        return {
            cell.cell["method"]: list(Selection.load(ledger.cell_folder(cell.key) / "selection.json").image_ids)
            for cell in ledger
            if cell.cell["keep"] == keep
        }

    def _typed(self, options: dict[str, Any]) -> list[object]:
        typed: list[object] = ["--backbone", self.features["backbone"]]
        if "blocks" in self.features:
            typed += ["--blocks", ",".join(self.features["blocks"])]
        for name, value in options.items():
            option = f"--{name.replace('_', '-')}"
            if name == "drop_duplicates":
                wanted = value if isinstance(value, dict) else {} if value is True else {"by": value}
                typed += [option, *(part for key, way in wanted.items() for part in (TYPED[key], way))]
            elif name in ("must_keep", "exclude"):
                (self.folder / f"{name}.txt").write_text("\n".join(value))
                typed += [option, self.folder / f"{name}.txt"]
            else:
                typed += [option, value]
        return typed


TYPED = {"by": "--duplicates-by", "threshold": "--duplicates-from"}


@pytest.mark.parametrize(
    ("composition", "dropped"),
    [
        ({}, None),
        ({"drop_duplicates": True}, 2),
        ({"drop_duplicates": "exact", "must_keep": ["05.png", "06.png"]}, 1),
        ({"drop_duplicates": "features"}, 2),
        ({"drop_duplicates": "exact", "exclude": ["07.png", "11.png"]}, 1),
        ({"drop_duplicates": {"by": "features", "threshold": 0.999}, "class_floor": 2, "must_keep": ["07.png"]}, 1),
        ({"groups": r"(\d)\d", "max_per_group": 5, "class_floor": 1}, None),
    ],
)
def test_the_same_images_by_all_three(
    data: Path,
    stand_in_train: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    composition: dict[str, Any],
    dropped: int | None,
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    ways = Ways(data)
    found = ways.in_python(METHODS, 7, **composition)
    assert all(len(images) == 7 for images in found.values()) and len(set(map(tuple, found.values()))) > 1
    assert ways.by_command(METHODS, 7, **composition) == found
    assert ways.in_a_cell(METHODS, 7, **composition) == found
    steps = Selection.load(ways.folder / "python-srs-7" / "selection.json").steps
    assert [step["dropped"] for step in steps if step["step"] == "drop_duplicates"] == [dropped] * bool(dropped)


def test_duplicates_by_features_are_made_once_and_charged_to_every_cell(
    data: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    # without the block `image`, the vectors are extracted only for the search for duplicates
    ways = Ways(data, blocks=["annotations"])
    found = ways.in_a_cell(["srs", "mms"], 7, drop_duplicates="features")
    assert found == ways.in_python(["srs", "mms"], 7, drop_duplicates="features")
    ledger = dr.Ledger(ways.folder / "ledger")
    assert [len(list(ledger.path.glob(f"{kind}-*.json"))) for kind in ("features", "image", "duplicates")] == [1, 1, 1]
    for cell in ledger:
        assert {"features", "duplicates", "selection"} <= cell.choosing.keys()
    ways.in_a_cell(["srs"], 7, drop_duplicates="features")
    keys = set(ledger.cell_keys())
    (ways.folder / "vectors.csv").write_text((ways.folder / "vectors.csv").read_text().replace(",0.", ",1."))
    ways.in_a_cell(["srs"], 7, drop_duplicates="features")
    assert len(set(ledger.cell_keys()) - keys) == 2, "other vectors, other duplicates"


def test_select_takes_duplicates_by_features_from_its_table(data: Path) -> None:
    dataset = dr.load_dataset(data, split="train")
    backbone = f"file:{data.parent.parent / 'vectors.csv'}"
    table = extract_features(dataset, backbone, ("image", "annotations"))
    selection = dr.select(table, "srs", 14, drop_duplicates="features")
    assert (
        selection.provenance["duplicates"]["looked_for"]
        == "near-duplicates by features with a similarity of at least 0.95"
    )
    images = extract_features(dataset, backbone, ("image",))
    alone = dr.near_duplicates(images, by="features")
    assert selection.image_ids == dr.select(table, "srs", 14, drop_duplicates=alone).image_ids
    with pytest.raises(InputError, match="15"):
        dr.select(table, "srs", 15, drop_duplicates="features")
    assert len(dr.select(table, "srs", 15, drop_duplicates={"by": "features", "threshold": 0.999})) == 15
    for source in (dataset, extract_features(dataset, blocks=("annotations",))):
        with pytest.raises(InputError, match="'image'"):
            dr.select(source, "srs", 4, drop_duplicates="features")
    for wrong, said in (
        ({"by": "features", "treshold": 0.9}, "Did you mean 'threshold'"),
        ({"by": "exact", "threshold": 0.9}, "0.9"),
        ({"by": "features", "threshold": 7}, "threshold=7"),
        ("fetures", "Did you mean 'features'"),
    ):
        with pytest.raises(InputError, match=said):
            dr.select(table, "srs", 4, drop_duplicates=wrong)


@pytest.mark.parametrize(
    ("method", "keep", "options", "said"),
    [
        ("mms", 500, {}, "500"),
        ("mmz", 4, {}, "Did you mean 'mms'"),
        ("mms", 4, {"categories": "rarst"}, "Did you mean 'rarest'"),
        ("mms", 2, {"class_floor": 2}, "Keep at least 3"),
        ("mms", 4, {"class_floor": "bae=1"}, "Did you mean 'bee'"),
        ("mms", 4, {"must_keep": ["99.png"]}, "99.png"),
        ("mms", 4, {"groups": "folder", "max_per_group": 1}, "max_per_group=1"),
        ("mms", 4, {"drop_duplicates": {"by": "features", "threshold": 7}}, "threshold=7"),
        ("csod", 4, {}, "feature map"),
        ("srs", 4, {"drop_duplicates": "features", "backbone": "efficientnet"}, "efficientnet-lite0"),
        ("srs", 4, {"drop_duplicates": "features", "backbone": "yolo:/nowhere/x.pt"}, "x.pt"),
    ],
)
def test_what_cannot_be_fails_before_an_image_is_decoded_in_all_three(
    data: Path, monkeypatch: pytest.MonkeyPatch, method: str, keep: int, options: dict[str, Any], said: str
) -> None:
    for place in ("detreduce.features.request.Extraction.run", "detreduce.selection.duplicate_search.near_duplicates"):
        monkeypatch.setattr(place, lambda *_, **__: pytest.fail("too late"))
    monkeypatch.setattr(run_module, "train", lambda *_, **__: pytest.fail("too late"))
    ways = Ways(data, **({"backbone": options.pop("backbone")} if "backbone" in options else {}))
    floor = options.get("class_floor")
    parsed = options if not isinstance(floor, str) else {**options, "class_floor": {floor.partition("=")[0]: 1}}
    for reduce, given in ((ways.in_python, parsed), (ways.by_command, options), (ways.in_a_cell, parsed)):
        with pytest.raises(InputError, match=said):
            reduce([method], keep, **given)
    assert not list(ways.folder.glob("*-*/")) and not (ways.folder / "ledger").exists()
