"""Draw a small picture of each method. All of them show the same 2-D points, and which tenth the method keeps.

    python scripts/pictures/methods.py [--methods mms prd …] [--output docs/methods]

`example` makes the points, and all other data that the methods need. scripts/methods.py runs this script, and also
writes the pages.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detreduce.arrays.object_table import ObjectTable
from detreduce.arrays.proxy_log import DYNAMICS_COLUMNS, OVERS, SCORES
from detreduce.reducers import make_reducer
from detreduce.reducers.registry import BUILT_IN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = Path(__file__).resolve().parent.parent.parent / "docs" / "methods"
KEEP, SEED = 0.1, 0
INCHES, DPI = 2.4, 100
# colours of Okabe and Ito, which colour-blind readers can distinguish; the markers differ for printing in grey
STYLES = (("#0072B2", "o"), ("#D55E00", "^"), ("#009E73", "s"))


@dataclass(frozen=True)
class Example:
    """The made-up images from which every method chooses.

    Attributes
    ----------
    X
        (n, 2) float64 features with mean 0. The images are sorted by x, as if they were frames of a panning video.
    categories
        (n,) int64: the category of each image: 0, 1 or 2.
    extras
        Name in a reducer's `needs` -> the argument of `fit` with this name.
    matrices
        Name in a reducer's `needs` -> the array that `fit` takes instead of X.
    """

    X: np.ndarray
    categories: np.ndarray
    extras: dict[str, Any] = field(default_factory=dict)
    matrices: dict[str, np.ndarray] = field(default_factory=dict)


def example() -> Example:
    """Return the made-up images: clusters of unequal size, a thin bridge between the two largest, and outliers."""
    rng = np.random.default_rng(7)
    parts: list[tuple[int, np.ndarray]] = []

    def cluster(category: int, count: int, centre: tuple[float, float], spread: tuple[float, float]) -> None:
        parts.append((category, centre + rng.normal(size=(count, 2)) * spread))

    cluster(0, 130, (-0.55, 0.25), (0.15, 0.2))
    cluster(0, 24, (-0.45, -0.7), (0.07, 0.06))
    cluster(1, 80, (0.45, -0.3), (0.16, 0.15))
    cluster(2, 36, (0.62, 0.2), (0.13, 0.12))
    along = np.linspace(0.0, 1.0, 12)[:, None]
    bridge = (1 - along) * (-0.25, 0.15) + along * (0.2, -0.15) + 0.015 * rng.normal(size=(12, 2))
    parts += [(0, bridge[:6]), (1, bridge[6:])]
    parts += [(0, np.array([[-0.98, -0.85], [-0.1, 0.95]])), (1, np.array([[0.95, -0.9], [0.0, -0.9]]))]
    parts += [(2, np.array([[0.95, 0.92], [0.35, 0.85]]))]
    X = np.concatenate([points for _, points in parts])
    categories = np.repeat([category for category, _ in parts], [len(points) for _, points in parts])
    order = np.argsort(X[:, 0])
    X, categories = X[order] - X.mean(axis=0), categories[order]
    extras = _extras(X, categories, rng)
    dynamics = _dynamics(X, categories, extras["objects"])
    # made-up scores like those of predicted boxes: hard images have uncertain boxes
    uncertainty = dynamics[:, [DYNAMICS_COLUMNS.index(f"el2n_{over}") for over in OVERS]]
    matrices = {"gradients": X, "dynamics": dynamics, "uncertainty": uncertainty, "disagreement": uncertainty[:, 1:2]}
    return Example(X, categories, extras, matrices)


def _extras(X: np.ndarray, categories: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Return the objects of the images and their groups. An image has one to three boxes, and a group has 20 images.

    Most boxes have the class that is the category of their image.
    """
    images = np.repeat(np.arange(len(X)), rng.integers(1, 4, size=len(X)))
    strange = rng.random(len(images)) < 0.1
    classes = np.where(strange, rng.integers(len(STYLES), size=len(images)), categories[images])
    vectors = X[images] + 0.02 * rng.normal(size=(len(images), 2))
    objects = ObjectTable.from_boxes(images, classes, len(X), len(STYLES), vectors=vectors)
    return {"objects": objects, "groups": np.arange(len(X)) // 20}


def _dynamics(X: np.ndarray, categories: np.ndarray, objects: ObjectTable) -> np.ndarray:
    """Return made-up scores like the scores of a proxy training. Images far from the mean of their category are
    harder.
    """
    rng = np.random.default_rng(8)
    middles = np.array([X[categories == category].mean(axis=0) for category in range(len(STYLES))])
    far = np.linalg.norm(X - middles[categories], axis=1)
    boxes = np.bincount(objects.images, objects.counts, len(X))
    hard = {
        # predictions vary little for a box that is learnt at once, and also for a box that is never learnt
        "vps": far * np.exp(-3 * far),
        "forgetting": np.floor(8 * far),
        "el2n": far,
        "aum": far,
    }
    columns = []
    for score in SCORES:
        mean = np.maximum(hard[score] + (0.1 * rng.normal(size=len(X)) if score != "forgetting" else 0.0), 0.0)
        columns += [mean * boxes, mean, mean]
    return np.column_stack([*columns, boxes])


def matrix(needs: Sequence[str], points: Example) -> np.ndarray:
    """Return the array that a method with these `needs` takes as X."""
    return next((points.matrices[need] for need in needs if need in points.matrices), points.X)


def picks(name: str, points: Example) -> np.ndarray:
    """Return the rows of the images that the method keeps, in the order in which it chose them."""
    reducer = make_reducer(name, keep=KEEP, random_state=SEED)
    extras = {need: points.extras[need] for need in reducer.needs if need in points.extras}
    return reducer.fit(matrix(reducer.needs, points), points.categories, **extras).selected_idx_


def draw(points: Example, chosen: np.ndarray) -> Figure:
    """Return a figure that shows all points in weak colours and the chosen points in strong colours."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(INCHES, INCHES), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    x, y = (points.X.min(axis=0) + points.X.max(axis=0)) / 2
    reach = 1.08 * float(np.abs(points.X - (x, y)).max())
    axes.set(xticks=[], yticks=[], xlim=(x - reach, x + reach), ylim=(y - reach, y + reach))
    for spine in axes.spines.values():
        spine.set_color("#bbbbbb")
    kept = np.isin(np.arange(len(points.X)), chosen)
    for category, (colour, marker) in enumerate(STYLES):
        own = points.categories == category
        axes.scatter(*points.X[own & ~kept].T, s=10, c=colour, marker=marker, alpha=0.35, linewidths=0)
        axes.scatter(
            *points.X[own & kept].T, s=30, c=colour, marker=marker, edgecolors="black", linewidths=0.8, gid="kept"
        )
    return figure


def write(name: str, points: Example, folder: Path) -> Path:
    """Write the picture of a method into the folder, and return its path.

    A text field of the PNG lists the chosen rows, so that a test can compare them.
    """
    chosen = picks(name, points)
    file = folder / f"{name}.png"
    folder.mkdir(parents=True, exist_ok=True)
    draw(points, chosen).savefig(file, metadata={"Software": None, "picks": " ".join(map(str, chosen))})
    return file


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--methods", nargs="+", choices=list(BUILT_IN), default=list(BUILT_IN), metavar="NAME")
    parser.add_argument("--output", type=Path, default=PICTURES, help="folder for the pictures")
    options = parser.parse_args(arguments)
    points = example()
    for name in options.methods:
        print(write(name, points, options.output))


if __name__ == "__main__":
    main()
