"""The choices of each method on the files of the former version, as hashes of the chosen image ids."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

import detreduce as dr
from detreduce.dataset.object_counts import label_objects
from detreduce.reducers import list_reducers

# each method once with its defaults, and with parameters that change its algorithm
CHOICES: dict[str, dict[str, object]] = {name: {"method": name} for name in list_reducers()} | {
    "herding": {"method": "herding", "match": "mmd"},
    "srs by classes": {"method": "srs", "by": "classes"},
    "mms from the center": {"method": "mms", "start": "center"},
    "prd of one category": {"method": "prd", "categories": None},
    "class_coverage by size": {"method": "class_coverage", "by_size": True},
    "mms after must_keep": {"method": "mms", "must_keep": ["scene0003_frame00.jpg"]},
    "facility without near-duplicates": {"method": "facility", "drop_duplicates": True},
    "prd with class floors": {"method": "prd", "class_floor": 3},
    "stride by scenes": {"method": "stride", "groups": r"(scene\d+)_.*", "max_per_group": 2},
}
KEEPS = (0.25, 15)
SEEDS = (0, 1)


def choose(name: str, table: dr.FeatureTable) -> dict[str, str]:
    """Hash the image ids that one of CHOICES chooses, in their order, at every keep and seed."""
    return {
        f"keep {keep} seed {seed}": digest(dr.select(filled(table), keep=keep, seed=seed, **CHOICES[name]))
        for keep in KEEPS
        for seed in SEEDS
    }


def digest(selection: dr.Selection) -> str:
    """SHA-256 of the chosen image ids, in order."""
    return hashlib.sha256("\n".join(map(str, selection.image_ids)).encode()).hexdigest()


def filled(table: dr.FeatureTable) -> dr.FeatureTable:
    """The table with made-up vectors of the objects and gradients: no network is needed, so every machine agrees."""
    pictures = table.blocks["image"]
    objects = label_objects(table.dataset)
    rolled = [np.roll(pictures[image], 7 * kind) for image, kind in zip(objects.images, objects.classes, strict=True)]
    return replace(
        table,
        blocks={**table.blocks, "gradients": pictures - pictures.mean(axis=0)},
        objects=replace(objects, vectors=np.array(rolled, np.float32)),
    )
