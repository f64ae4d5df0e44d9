"""Every shipped dataset and configuration can be used, or names the way to get its missing files."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from detreduce.dataset import load_dataset
from detreduce.errors import MissingFileError
from detreduce.experiment.config import load_config

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("DETREDUCE_SHARED", REPOSITORY.parent / "shared"))
DATASETS = sorted((REPOSITORY / "datasets").glob("*.yaml"))
CONFIGS = sorted((REPOSITORY / "configs").glob("*.yaml"))

# images of train, val, test, as the sources' own notes count them
COUNTS = {
    "aquarium": {"train": 448, "val": 127, "test": 63},
    "bccd": {"train": 205, "val": 87, "test": 72},
    "coco128": {"train": 128},
    "highway5": {"train": 1704, "val": 487, "test": 251},
    "wheelchair": {"train": 495, "val": 73, "test": 30},
}
BOXES = {"aquarium": 4817, "bccd": 4888, "coco128": 929, "highway5": 5250, "wheelchair": 626}  # coco128: + 10 crowds


def test_everything_is_listed() -> None:
    assert {file.stem for file in DATASETS} == {*COUNTS, "demo", "mobility_aid", "wheelchair_roboflow"}
    assert {"demo", "aquarium", "paper"} <= {file.stem for file in CONFIGS}


@pytest.mark.parametrize("file", DATASETS, ids=lambda file: file.stem)
def test_a_dataset_says_where_it_is_from(file: Path) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert {"source", "licence", "get"} <= content.keys()
    assert "train" in content or content["format"] == "demo"


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(COUNTS))
def test_a_dataset_loads_where_its_data_is(name: str, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETREDUCE_SHARED", str(shared))
    boxes = 0
    for split, count in COUNTS[name].items():
        dataset = load_dataset(REPOSITORY / "datasets" / f"{name}.yaml", split=split)
        assert len(dataset) == count
        boxes += int(dataset.class_counts.sum())
    assert boxes == BOXES[name]


@pytest.mark.parametrize("name", sorted({*COUNTS, "mobility_aid", "wheelchair_roboflow"}))
def test_a_dataset_that_is_absent_says_how_to_get_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DETREDUCE_SHARED", str(tmp_path))
    monkeypatch.setenv("DETREDUCE_DATA", str(tmp_path))
    file = REPOSITORY / "datasets" / f"{name}.yaml"
    with pytest.raises(MissingFileError) as error:
        load_dataset(file)
    assert " ".join(yaml.safe_load(file.read_text(encoding="utf-8"))["get"].split()[:4]) in str(error.value)


@pytest.mark.parametrize("file", [*DATASETS, *CONFIGS], ids=lambda file: file.name)
def test_one_variable_names_the_data(file: Path) -> None:
    assert set(re.findall(r"\$\{?(DETREDUCE_\w+)", file.read_text(encoding="utf-8"))) <= {"DETREDUCE_DATA"}


def test_the_demo_dataset_is_made_on_first_use() -> None:
    file = REPOSITORY / "datasets" / "demo.yaml"
    sizes = {split: len(load_dataset(file, split=split)) for split in ("train", "val", "test")}
    assert sizes == {"train": 473, "val": 60, "test": 60}


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_a_configuration_is_valid(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETREDUCE_DATA", str(SHARED / "data"))
    if not SHARED.is_dir():
        # some configurations name weights that are not part of the checkout; any file will do to check the rest
        (tmp_path / "weights").mkdir()
        (tmp_path / "weights" / "yolov8n.pt").touch()
        monkeypatch.setenv("DETREDUCE_DATA", str(tmp_path / "data"))
    text = file.read_text(encoding="utf-8")
    made = "\ndataset: ../runs/clips/"
    if made in text:
        # a script writes this dataset; any dataset will do to check the rest
        assert "python scripts/studies/redundancy.py datasets/aquarium.yaml" in text
        file = tmp_path / file.name
        file.write_text(re.sub(f"{made}.*", f"\ndataset: {REPOSITORY / 'datasets' / 'demo.yaml'}", text))
    config = load_config(file)
    assert config.name == file.stem
    assert Path(config.dataset).parent == REPOSITORY / "datasets"
    assert config.train.arguments["epochs"] > 0


def test_the_demo_compares_the_cleaned_images_with_all_images_and_with_as_many_steps() -> None:
    config = load_config(REPOSITORY / "configs" / "demo.yaml")
    assert config.reduce.drop_duplicates is True and config.reduce.keep == ["all"]
    assert config.controls == ["full", "full_equal_iterations"]
    # one seed gives no verdict; trainings that share a random selection count as one
    assert len(config.train.seeds) == len(config.reduce.seeds) == 3
