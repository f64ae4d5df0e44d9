"""Simulate how often 95 % intervals contain the true paired difference, and how often a detectable one is detected.

    python scripts/benchmarks/intervals.py [--experiments 2000] [--images 100] [--seeds 2 3 5 10]

Each simulated experiment draws pairs of trainings, one pair per seed, which are all evaluated on the same images. The
difference on image i with seed s is the true difference + a_s + b_i + c_si. The random numbers a, b and c have mean 0.
They are Gaussian, heavy-tailed or skewed. The script compares the intervals of detreduce with two bootstrap intervals.
One of them resamples the seeds, and the other resamples the seeds and the images.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from detreduce.experiment.statistics.intervals import Interval, PairedDifference

RESAMPLES = 1000
LEVEL = 0.95
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
SHAPES: dict[str, Draw] = {
    "Gaussian": lambda random, size: random.standard_normal(size),
    "heavy tails": lambda random, size: random.standard_t(3, size) / np.sqrt(3),
    "skewed": lambda random, size: random.exponential(size=size) - 1,
}
# name -> standard deviation of the mean difference due to the seeds, due to the images, and due to both together
PARTS: dict[str, tuple[float, float, float]] = {
    "seeds alone": (1.0, 0.0, 0.0),
    "seeds most": (1.0, 0.3, 0.3),
    "both alike": (1.0, 1.0, 0.5),
    "images most": (0.3, 1.0, 0.3),
}


def simulated(
    random: np.random.Generator, shape: str, parts: tuple[float, float, float], seeds: int, images: int
) -> np.ndarray:
    """Return the differences in one simulated experiment, whose true mean is 0.

    Parameters
    ----------
    random
        The generator of random numbers.
    shape
        The name of a distribution in `SHAPES`.
    parts
        Three standard deviations, as in `PARTS`.
    seeds, images
        The numbers of seeds and images.

    Returns
    -------
    (seeds, images) float64
        The difference for each seed and each image.
    """
    draw, (by_seed, by_image, by_both) = SHAPES[shape], parts
    root = np.sqrt(images)
    return (
        by_seed * draw(random, (seeds, 1))
        + by_image * root * draw(random, (1, images))
        + by_both * root * draw(random, (seeds, images))
    )


def intervals(random: np.random.Generator, table: np.ndarray, resamples: int) -> dict[str, Interval]:
    """Return each kind of interval, by its name, for the (seeds, images) differences of one experiment."""
    seeds, images = table.shape
    weights = random.multinomial(images, np.full(images, 1 / images), resamples) / images
    resampled = table @ weights.T
    pair = PairedDifference(table.mean(axis=1), resampled)
    drawn = random.integers(seeds, size=(resamples, seeds))
    both = resampled[drawn, np.arange(resamples)[:, None]].mean(axis=1)
    over_seeds, over_both, over_images = pair.over_seeds(LEVEL), pair.interval(LEVEL), pair.over_images(LEVEL)
    assert over_seeds and over_both and over_images
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    return {
        "t over seeds": over_seeds,
        "seeds and images": over_both,
        "images alone": over_images,
        "resampled seeds": Interval(*np.quantile(table.mean(axis=1)[drawn].mean(axis=1), tails)),
        "resampled both": Interval(*np.quantile(both, tails)),
    }


def coverage(
    shape: str,
    parts: tuple[float, float, float],
    seeds: int,
    images: int,
    experiments: int,
    resamples: int = RESAMPLES,
) -> dict[str, float]:
    """Return, for each kind of interval, the share of the simulated experiments in which it contains the true
    difference.
    """
    random = np.random.default_rng(0)
    held: dict[str, int] = {}
    for _ in range(experiments):
        for name, interval in intervals(random, simulated(random, shape, parts, seeds, images), resamples).items():
            held[name] = held.get(name, 0) + (0.0 in interval)
    return {name: count / experiments for name, count in held.items()}


def detected(parts: tuple[float, float, float], seeds: int, images: int, experiments: int, alpha: float) -> float:
    """Return in which share of the simulated experiments the detectable difference is in fact detected.

    The share should be about 80 %. The detectable difference is averaged over the experiments (root mean square),
    because no single experiment knows the true spread.
    """
    random = np.random.default_rng(0)
    pairs = []
    for _ in range(experiments):
        table = simulated(random, "Gaussian", parts, seeds, images)
        weights = random.multinomial(images, np.full(images, 1 / images), RESAMPLES) / images
        pairs.append(PairedDifference(table.mean(axis=1), table @ weights.T if any(parts[1:]) else None))
    needed = np.sqrt(np.mean([(pair.detectable(alpha) or 0) ** 2 for pair in pairs]))
    shifted = [
        PairedDifference(pair.differences + needed, None if pair.resampled is None else pair.resampled + needed)
        for pair in pairs
    ]
    return float(np.mean([pair.doubt() < alpha for pair in shifted]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 5, 10])
    arguments = parser.parse_args()
    print(f"share of {LEVEL:.0%} intervals that contain the true difference, {arguments.experiments} experiments")
    names = ("t over seeds", "seeds and images", "images alone", "resampled seeds", "resampled both")
    print(f"{'shape':12} {'spread':12} {'seeds':>5}  " + "  ".join(f"{name:>16}" for name in names))
    for shape in SHAPES:
        for label, parts in PARTS.items():
            for seeds in arguments.seeds:
                found = coverage(shape, parts, seeds, arguments.images, arguments.experiments)
                print(
                    f"{shape:12} {label:12} {seeds:5}  " + "  ".join(f"{found[name]:16.3f}" for name in names),
                    flush=True,
                )
    print("\nshare of detectable differences that are detected (80 % expected)")
    for label, parts in PARTS.items():
        for seeds in arguments.seeds:
            shares = [
                detected(parts, seeds, arguments.images, arguments.experiments, alpha) for alpha in (0.05, 0.05 / 7)
            ]
            print(f"{label:12} {seeds:5}  alpha 0.05: {shares[0]:.3f}  alpha 0.05/7: {shares[1]:.3f}", flush=True)


if __name__ == "__main__":
    main()
