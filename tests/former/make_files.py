"""Make the files that these tests read, with a former version of detreduce.

Run the script with the former version, in a new folder. Some files contain the path of the folder, so use a path that
may be public. Then replace `tests/former/files` by the folder::

    PYTHONPATH=/path/to/the/former/version python tests/former/make_files.py /srv/former

Only public names are used, so that every version since 0.1.0 can run it.
`tests/former/files/README.md` names the version
that made the files in the repository.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml
from choices import CHOICES, choose
from PIL import Image

import detreduce as dr
from detreduce.dataset.demo import make_demo

SIZE = 48
TRAIN = {"model": "yolov8n.yaml", "epochs": 1, "imgsz": 32, "batch": 8, "workers": 0}
SHORT_PROXY = {"epochs": 3, "imgsz": 64, "batch": 8, "nbs": 8, "workers": 0}
SELECTIONS = {
    "srs": {"method": "srs", "keep": 0.25, "seed": 3},
    "first": {"method": "first", "keep": 5, "categories": None},
    "mms_must_keep": {"method": "mms", "keep": 0.3, "must_keep": ["scene0003_frame000.jpg"], "start": "center"},
    "prd_class_floor": {"method": "prd", "keep": 12, "class_floor": {"1": 3, "2": 3}},
    "facility_duplicates": {"method": "facility", "keep": 0.25, "drop_duplicates": True},
    "class_coverage_exact": {"method": "class_coverage", "keep": 8, "drop_duplicates": "exact"},
    "stride_groups": {"method": "stride", "keep": 10, "groups": r"(scene\d+)_.*", "max_per_group": 2},
    "phl": {"method": "phl", "keep": 0.25, "categories": "dominant"},
    "vps": {"method": "vps", "keep": 0.25},
}
EXPERIMENT = {
    "name": "former",
    "dataset": "dataset/data.yaml",
    "features": {"backbone": "file:vectors.csv", "blocks": ["image", "annotations"]},
    "reduce": {
        "methods": ["srs", {"name": "mms", "drop_duplicates": True, "class_floor": 2}, "vps"],
        "keep": [0.4],
        "seeds": [0],
    },
    "proxy": {"epochs": 2, "imgsz": 32, "batch": 8, "nbs": 8, "workers": 0},
    "train": {**TRAIN, "seeds": [0]},
    "evaluate": {"on": "val+test"},
    "controls": ["full", "full_equal_iterations", "random"],
    "energy": {"country": "ESP"},
}


def make(folder: Path) -> None:
    """Make every file below the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["DETREDUCE_CACHE"] = str(folder / "scratch")
    with working_in(folder):
        make_dataset(folder / "dataset")
        dataset = dr.load_dataset("dataset/data.yaml")
        write_vectors(folder / "vectors.csv", dataset)
        dr.log_proxy_training("dataset/data.yaml", "yolov8n.yaml", output="proxy.npz", **SHORT_PROXY)
        table = dr.extract_features(
            dataset,
            backbone="file:vectors.csv",
            blocks=("image", "annotations", "dynamics"),
            proxy="proxy.npz",
        )
        make_selections(folder / "selections", table)
        hashes = {name: choose(name, table) for name in CHOICES}
        (folder / "choices.json").write_text(json.dumps(hashes, indent=1) + "\n")
        make_cache(folder)
        record = dr.train("dataset/data.yaml", **TRAIN, output="train")
        assert record.evaluation
        (folder / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT, sort_keys=False))
        dr.run_experiment("experiment.yaml", "ledger")
        tidy(folder)


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Work in a folder, like a person."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def make_dataset(folder: Path) -> None:
    """Make a small demo dataset of JPEGs: its PNGs are large."""
    make_demo(folder, scenes=20, size=SIZE, digits=3, objects=3, seed=1)
    for file in sorted(folder.rglob("*.png")):
        Image.open(file).save(file.with_suffix(".jpg"), quality=70)
        file.unlink()


def write_vectors(file: Path, dataset: dr.DetectionDataset) -> None:
    """Write one vector per image: an 8 x 8 grey picture, in decimals, so that every machine reads the same numbers."""
    lines = [",".join(["image", *(f"v{column}" for column in range(64))])]
    for record in dataset:
        grey = np.asarray(Image.open(record.path).convert("L").resize((8, 8), Image.Resampling.BOX)).ravel()
        lines.append(",".join([Path(record.name).name, *(f"{value / 255:.3f}" for value in grey.tolist())]))
    file.write_text("\n".join(lines) + "\n")


def make_selections(folder: Path, table: dr.FeatureTable) -> None:
    """Save selections by several methods, with most of the steps before a method."""
    folder.mkdir()
    for name, options in SELECTIONS.items():
        dr.select(table, **options).save(folder / f"{name}.json")
    earlier = dr.Selection.load(folder / "srs.json")
    dr.select(table, "nrmd", 12, initial=earlier).save(folder / "initial.json")


def make_cache(folder: Path) -> None:
    """Keep the features and the signatures of the few val images in a cache."""
    dataset = dr.load_dataset("dataset/data.yaml", split="val")
    dr.extract_features(dataset, blocks=("image", "objects"), precision="float32", cache=folder / "cache")
    dr.near_duplicates(dataset, cache=folder / "cache")
    # it stores paths and times of files, which a checkout changes
    shutil.rmtree(folder / "cache" / "digests", ignore_errors=True)


def tidy(folder: Path) -> None:
    """Remove weights, locks and other files that are large or specific to this machine."""
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    for place in ("ledger/locks", "ledger/unfinished", "train/data"):
        shutil.rmtree(folder / place, ignore_errors=True)
    for file in sorted(folder.rglob("*.pt")):
        file.unlink()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
