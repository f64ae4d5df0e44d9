"""Does the effective rank of the features fall where the effective number of images falls? The script trains nothing.

    python scripts/studies/effective_rank.py

The effective rank (Roy and Vetterli, EUSIPCO 2007) of the n x d matrix of features is exp(H). H is the entropy of the
singular values, divided by their sum. It is 1 if all features are multiples of one vector, and at most min(n, d).

Part 1 uses datasets that scripts/studies/redundancy.py makes: 112 scenes of the aquarium photographs in 448 images.
Only the lengths of the clips differ. So the effective number of images, n^2 / sum of squared clip lengths, is known.

Part 2 uses the train splits of shipped datasets, with the same number of images from each. There, the effective number
of images follows from the near-duplicates that detreduce finds.

The features are the image vectors of efficientnet-lite0, minus their mean. The result is stored in
docs/results/studies/effective_rank.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from detreduce.dataset.health.redundancy import measure_redundancy
from detreduce.dataset.load import load_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.duplicates.search import near_duplicates
from detreduce.features import extract_features

REPOSITORY = Path(__file__).resolve().parents[2]
RESULT = REPOSITORY / "docs" / "results" / "studies" / "effective_rank.json"
SOURCE = REPOSITORY / "datasets" / "aquarium.yaml"
REAL = ("coco128", "bccd", "aquarium", "wheelchair", "highway5")
SCENES, IMAGES = 112, 448
DECAYS = (0.0, 0.5, 1.0, 1.5, 2.0)
SEEDS = (0, 1)
SAMPLE, DRAWS = 100, 5
"""The number of images from each shipped dataset, and how often they are drawn."""


def effective_rank(features: npt.NDArray[np.float32]) -> float:
    """Return the effective rank of (n, d) features, after their mean is subtracted. It is 0 if all rows are equal."""
    values = np.linalg.svd(np.asarray(features, np.float64) - features.mean(axis=0, dtype=np.float64), compute_uv=False)
    total = values.sum()
    if total <= 1e-9:
        return 0.0
    shares = values[values > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def image_features(dataset: DetectionDataset) -> npt.NDArray[np.float32]:
    """Return the (n, d) image vectors of the readable images."""
    return extract_features(dataset, blocks=("image",)).blocks["image"]


def made_sets() -> list[dict[str, Any]]:
    """Return one row for each made dataset: its lengths of clips, its effective images and its effective rank."""
    from redundancy import Design, make

    rows = []
    for seed in SEEDS:
        for decay in DECAYS:
            with tempfile.TemporaryDirectory() as folder:
                clips = make(SOURCE, Design(SCENES, IMAGES, decay, seed), Path(folder))
                features = image_features(load_dataset(Path(folder) / "data.yaml"))
            made = clips["made"]
            rows.append(
                {
                    "seed": seed,
                    "decay": decay,
                    "images": len(features),
                    "clusters": made["clusters"],
                    "effective_images": made["effective_images"],
                    "effective_rank": round(effective_rank(features), 2),
                }
            )
            print(rows[-1], flush=True)
    return rows


def real_sets() -> list[dict[str, Any]]:
    """Return one row for each draw of images from a shipped dataset."""
    rows = []
    for name in REAL:
        dataset = load_dataset(REPOSITORY / "datasets" / f"{name}.yaml")
        groups = [set(group) for group in near_duplicates(dataset).groups]
        table = extract_features(dataset, blocks=("image",))
        ids = np.array([dataset[int(row)].id for row in table.rows], dtype=object)
        for draw in range(DRAWS):
            chosen = np.random.default_rng([draw, 7]).choice(len(table), min(SAMPLE, len(table)), replace=False)
            drawn = set(ids[chosen].tolist())
            sizes = [len(group & drawn) for group in groups]
            sizes = [size for size in sizes if size > 1]
            found = measure_redundancy([*sizes, *[1] * (len(drawn) - sum(sizes))])
            rank = effective_rank(table.blocks["image"][chosen])
            rows.append(
                {
                    "dataset": name,
                    "draw": draw,
                    "images": len(drawn),
                    "clusters": found.clusters,
                    "effective_images": round(found.effective, 3),
                    "effective_rank": round(rank, 2),
                }
            )
        print(rows[-1], flush=True)
    return rows


def rho(rows: Sequence[dict[str, Any]]) -> float | None:
    """Return Spearman's correlation of effective images and effective rank, or None if one of them is constant."""
    pairs = np.array([(row["effective_images"], row["effective_rank"]) for row in rows])
    if len(pairs) < 3 or (np.ptp(pairs, axis=0) == 0).any():
        return None
    return round(float(spearmanr(*pairs.T).statistic), 3)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    made, real = made_sets(), real_sets()
    content = {
        "command": "python scripts/studies/effective_rank.py",
        "made": made,
        "rho_made": rho(made),
        "rho_made_by_seed": {str(seed): rho([row for row in made if row["seed"] == seed]) for seed in SEEDS},
        "real": real,
        "rho_real": rho(real),
    }
    options.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(content["rho_made"], content["rho_real"])


if __name__ == "__main__":
    main()
