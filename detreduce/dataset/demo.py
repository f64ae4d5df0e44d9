"""Make the demo dataset: handwritten digits in cluttered scenes, filmed by static cameras.

Some cameras film much longer than others, so the dataset contains many near-duplicates.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from detreduce.dataset.writing.staging import staged
from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.machine.cache_folder import cache_folder
from detreduce.machine.claims import claimed
from detreduce.machine.files import writing
from detreduce.machine.hashes import json_hash
from detreduce.machine.untrusted.regular_files import is_regular

VERSION = 4  # part of the cache key; increase it whenever the same parameters give other pixels or labels

SPLITS = {"train": 0.6, "val": 0.2, "test": 0.2}
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RARITY = 0.6  # the frequency of each digit, divided by the frequency of the previous digit
OBJECT_SIZES = (0.35, 0.6)  # the height of a digit, as a fraction of the frame
OVERLAP = 0.1  # the largest allowed overlap of two boxes, as a fraction of the smaller box
LICENCE = (
    "CC BY 4.0 (digits: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning "
    "Repository, 1998, as shipped in scikit-learn)"
)

Pixels = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """The parameters of `make_demo`."""

    scenes: int
    size: int
    digits: int
    objects: int
    background: float
    longest_clip: float
    clip_decay: float
    seed: int


@dataclass(frozen=True)
class Placed:
    """A digit in a scene: its class number, and its box in whole pixels of the painted world (see `_Scene`)."""

    class_id: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class RenderedImage:
    """A rendered image: its pixels (size, size, 3) as uint8 RGB, and its YOLO label lines."""

    pixels: npt.NDArray[np.uint8]
    labels: tuple[str, ...]


class _Draw:
    """A source of random numbers that gives the same numbers in every version of NumPy.

    For this purpose, it calls only `Generator.random`.
    """

    def __init__(self, *key: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return a random number that is at least `low` and below `high`."""
        return low + (high - low) * float(self._generator.random())

    def array(self, *shape: int) -> Pixels:
        """Return an array of random numbers that are at least 0 and below 1."""
        return self._generator.random(shape)

    def integer(self, low: int, high: int) -> int:
        """Return a random whole number from `low` to `high`, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def order(self, count: int) -> npt.NDArray[np.int64]:
        """Return the numbers from 0 to count - 1 in random order."""
        return np.argsort(self._generator.random(count), kind="stable")

    def weighted(self, weights: Pixels) -> int:
        """Return a random index into `weights`. Its probability is proportional to the weight."""
        return int(np.searchsorted(np.cumsum(weights), self.uniform() * weights.sum(), side="right"))


def demo_data_yaml(parameters: Mapping[str, object] | None = None, *, cache: str | Path | None = None) -> Path:
    """Return the path of the demo dataset's data.yaml, and make the dataset if it does not exist yet.

    `parameters` are keyword arguments of `make_demo`, such as ``{"scenes": 100}``. The dataset is stored in the cache
    folder, below a folder whose name is a hash of all parameters and `VERSION`. Raise InputError if a parameter is
    unknown or its value is out of range.
    """
    known = _check_parameters(dict(parameters or {}))
    key = json_hash([VERSION, known])[:16]
    # call this folder demo, because pages and messages show the name of the dataset's folder
    folder = cache_folder(cache) / "datasets" / key / "demo"
    if not is_regular(folder / "data.yaml"):
        make_demo(folder, **known)
    return folder / "data.yaml"


def make_demo(
    folder: str | Path,
    *,
    scenes: int = 360,
    size: int = 128,
    digits: int = 5,
    objects: int = 4,
    background: float = 0.05,
    longest_clip: float = 0.5,
    clip_decay: float = 1.0,
    seed: int = 0,
) -> Path:
    """Write the demo dataset in YOLO's layout and return the path of its data.yaml.

    Each scene is filmed by one static camera that trembles a little, so its frames are near-duplicates. In train, the
    lengths of the clips follow Zipf's law, as if a few cameras had run much longer than the others. Most clips have
    only one frame. Val and test show other scenes, with one frame each, so that mAP counts all scenes equally. Each
    handwriting sample is used in only one split. The same arguments give the same label bytes and the same pixels (PNG)
    on every machine. The folder appears complete or not at all.

    Parameters
    ----------
    folder
        A new or empty folder to write to.
    scenes
        Total number of scenes: 60 % of them are in train, 20 % in val and 20 % in test.
    size
        Side of the square images, in pixels (at least 32).
    digits
        Number of classes, from 1 to 10. The classes are the digits 0, 1, and so on, and each digit is rarer than the
        one before.
    objects
        Largest number of digits in a scene. Background scenes have no digits.
    background
        Fraction of scenes without digits (background scenes).
    longest_clip
        Number of frames of the longest clip in train, divided by the number of scenes in train (above 0, at most 10).
    clip_decay
        Exponent of Zipf's law, from 0 to 5. Clip number r has r ** -clip_decay times the frames of the longest clip.
    seed
        Seed of the random scenes.

    Raises
    ------
    InputError
        A value is out of range, or the folder is not empty.
    """
    design = Design(scenes, size, digits, objects, background, longest_clip, clip_decay, seed)
    _check_parameters(vars(design))
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} is not empty. Pass a new folder for the demo dataset.")
    with writing(target), claimed(target, wait=True):
        # another process may have made the same dataset in the meantime
        if not is_regular(target / "data.yaml"):
            with staged(target) as unfinished:
                _write(unfinished, design)
    return target / "data.yaml"


def _check_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Add the defaults of `make_demo` to the parameters. Raise InputError if a parameter is unknown or invalid."""
    signature = inspect.signature(make_demo).parameters.values()
    defaults = {entry.name: entry.default for entry in signature if entry.kind is entry.KEYWORD_ONLY}
    numbers: dict[str, tuple[Callable[[float], bool], str]] = {
        "background": (lambda value: 0 <= value < 1, "from 0 to below 1"),
        "longest_clip": (lambda value: 0 < value <= 10, "above 0 and at most 10"),
        "clip_decay": (lambda value: 0 <= value <= 5, "from 0 to 5"),
    }
    ranges = {"scenes": (4, 10**6), "size": (32, 4096), "digits": (1, 10), "objects": (1, 50), "seed": (0, 2**63)}
    for name, value in parameters.items():
        if name not in defaults:
            raise InputError(f"The demo dataset has no parameter {name!r}.{nearest(name, defaults)}")
        if name in numbers:
            fits, range_text = numbers[name]
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not fits(value):
                raise InputError(f"Demo dataset: {name} must be a number {range_text}, not {value!r}.")
            continue
        low, high = ranges[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InputError(f"Demo dataset: {name} must be a whole number from {low} to {high}, not {value!r}.")
    return {**defaults, **parameters}


def _write(root: Path, design: Design) -> None:
    """Write the images, the labels and the data.yaml of the demo dataset to the folder `root`."""
    from PIL import Image

    samples = _load_digits(design.digits, design.seed)
    counts = _count_scenes(design.scenes)
    number = 0
    with progress("Making the demo dataset", total=design.scenes, unit="scenes") as advance:
        for split, count in counts.items():
            for part in ("images", "labels"):
                (root / part / split).mkdir(parents=True)
            frames = _clip_lengths(_Draw(design.seed, 3), count, design) if split == "train" else [1] * count
            empty = set(_Draw(design.seed, 1, number).order(count)[: round(design.background * count)].tolist())
            for index in range(count):
                most = 0 if index in empty else design.objects
                scene = _make_scene(_Draw(design.seed, 2, number), samples[split], design.size, most)
                for step, frame in enumerate(_film(scene, frames[index])):
                    name = f"scene{number:04d}_frame{step:03d}"
                    Image.fromarray(frame.pixels).save(root / "images" / split / f"{name}.png", optimize=False)
                    text = "".join(f"{line}\n" for line in frame.labels)
                    (root / "labels" / split / f"{name}.txt").write_bytes(text.encode("ascii"))
                number += 1
                advance()
    content: dict[str, Any] = {split: f"images/{split}" for split in counts}
    content["names"] = dict(enumerate(NAMES[: design.digits]))
    content["source"] = "made by detreduce.dataset.demo from scikit-learn's handwritten digits"
    content["licence"] = LICENCE
    (root / "data.yaml").write_text(yaml.safe_dump(content, sort_keys=False, width=200), encoding="utf-8", newline="\n")


def _count_scenes(scenes: int) -> dict[str, int]:
    """Return the number of scenes in each split. Val and test get at least one scene each, and train gets the rest."""
    others = {split: max(1, round(share * scenes)) for split, share in SPLITS.items() if split != "train"}
    return {"train": scenes - sum(others.values()), **others}


def _clip_lengths(draw: _Draw, scenes: int, design: Design) -> list[int]:
    """Return the number of frames of each scene in train, in random order.

    Scene number r has r ** -decay times the frames of the longest clip, but at least one frame.
    """
    longest, decay = design.longest_clip * scenes, design.clip_decay
    return [max(1, round(longest / (rank + 1) ** decay)) for rank in draw.order(scenes).tolist()]


def _load_digits(digits: int, seed: int) -> dict[str, list[list[Pixels]]]:
    """Return the handwriting samples by split and digit. Each is an (h, w) array from 0 to 1, without empty margins."""
    from sklearn.datasets import load_digits

    images, targets = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8) / 16.0
    samples: dict[str, list[list[Pixels]]] = {split: [] for split in SPLITS}
    for digit in range(digits):
        rows = np.flatnonzero(targets == digit)
        rows = rows[_Draw(seed, 0, digit).order(len(rows))]
        ends = np.cumsum([int(share * len(rows)) for share in SPLITS.values()])
        for split, part in zip(SPLITS, np.split(rows, ends[:-1]), strict=True):
            samples[split].append([_cut_to_ink(images[row]) for row in part])
    return samples


def _cut_to_ink(image: Pixels) -> Pixels:
    inked = image > 0.2
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _make_scene(draw: _Draw, samples: list[list[Pixels]], size: int, most: int) -> _Scene:
    """Make a scene: a painted world, slightly larger than the camera's view, with at most `most` digits."""
    reach = max(1, size // 64)
    world = _paint_background(draw, size + 2 * reach)
    weights = np.array([RARITY**rank for rank in range(len(samples))])
    placed: list[Placed] = []
    for _ in range(draw.integer(1, most) if most else 0):
        class_id = draw.weighted(weights)
        ink = samples[class_id][draw.integer(0, len(samples[class_id]) - 1)]
        spot = _find_spot(draw, class_id, ink.shape, size, reach, placed)
        if spot is not None:
            _paint_digit(draw, world, ink, spot)
            placed.append(spot)
    return _Scene(world, tuple(placed), size, reach, draw)


def _paint_background(draw: _Draw, side: int) -> Pixels:
    """Paint smooth colours covered by translucent rectangles and rings, as a (side, side, 3) array from 0 to 255."""
    world = 30 + 170 * _resize(draw.array(4, 4, 3), side, side)
    world += 50 * (_resize(draw.array(24, 24, 1), side, side) - 0.5)
    rows, columns = np.mgrid[:side, :side]
    for _ in range(draw.integer(6, 14)):
        x, y = draw.uniform(0, side), draw.uniform(0, side)
        width, height = draw.uniform(0.04, 0.3) * side, draw.uniform(0.04, 0.3) * side
        across, down = np.abs(columns - x) / width, np.abs(rows - y) / height
        if draw.uniform() < 0.5:
            inside = (across < 0.5) & (down < 0.5)
        else:
            radius = across * across + down * down
            inside = (radius < 0.25) & (radius > draw.uniform(0.0, 0.2))
        strength = draw.uniform(0.25, 0.6)
        world[inside] = (1 - strength) * world[inside] + strength * 255 * draw.array(3)
    return np.clip(world, 0, 255)


def _find_spot(
    draw: _Draw, class_id: int, ink: tuple[int, ...], size: int, reach: int, placed: list[Placed]
) -> Placed | None:
    """Return a random box for a digit, or None if 20 random boxes do not fit.

    The box is inside the camera's view. It overlaps each other box by at most `OVERLAP`.
    """
    for _ in range(20):
        height = round(size * draw.uniform(*OBJECT_SIZES))
        width = max(3, round(height * ink[1] / ink[0] * draw.uniform(0.85, 1.15)))
        x = reach + draw.integer(0, max(0, size - width))
        y = reach + draw.integer(0, max(0, size - height))
        spot = Placed(class_id, x, y, width, height)
        if all(_measure_overlap(spot, other) <= OVERLAP for other in placed):
            return spot
    return None


def _measure_overlap(first: Placed, second: Placed) -> float:
    """Return the area in which two boxes overlap, as a fraction of the smaller box's area."""
    across = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    down = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / min(first.width * first.height, second.width * second.height)


def _paint_digit(draw: _Draw, world: Pixels, ink: Pixels, spot: Placed) -> None:
    """Paint a digit into the world, lighter or darker than what is behind it."""
    area = world[spot.y : spot.y + spot.height, spot.x : spot.x + spot.width]
    behind = area.mean()
    darker = draw.uniform() < behind / 255  # a darker digit is more likely in front of a lighter background
    contrast = draw.uniform(80, 130)
    colour = behind + (-contrast if darker else contrast) + 50 * (draw.array(3) - 0.5)
    alpha = np.clip(1.6 * _resize(ink[..., None], spot.height, spot.width), 0, 1)
    area[:] = (1 - alpha) * area + alpha * np.clip(colour, 0, 255)


@dataclass(frozen=True)
class _Scene:
    """A painted world and the camera that films it.

    Attributes
    ----------
    world
        (size + 2 reach, size + 2 reach, 3) pixels, from 0 to 255.
    placed
        The digits in the world.
    size
        Side of the images, in pixels.
    reach
        How far the camera may move in each direction, in pixels, from its place in the middle of the world.
    draw
        The source of the random numbers for the frames.
    """

    world: Pixels
    placed: tuple[Placed, ...]
    size: int
    reach: int
    draw: _Draw


def _film(scene: _Scene, frames: int) -> Iterator[RenderedImage]:
    """Yield the frames of a scene. The camera trembles, the brightness varies, and each frame has noise of its own."""
    size, reach, draw = scene.size, scene.reach, scene.draw
    for _ in range(frames):
        left, top = draw.integer(0, 2 * reach), draw.integer(0, 2 * reach)
        view = scene.world[top : top + size, left : left + size]
        view = view * draw.uniform(0.94, 1.06) + 16 * (draw.array(size, size, 1) - 0.5)
        lines = []
        for spot in scene.placed:
            x1, y1 = max(0, spot.x - left), max(0, spot.y - top)
            x2, y2 = min(size, spot.x + spot.width - left), min(size, spot.y + spot.height - top)
            box = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
            lines.append(" ".join([str(spot.class_id), *(f"{value / size:.6f}" for value in box)]))
        yield RenderedImage(np.clip(np.floor(view + 0.5), 0, 255).astype(np.uint8), tuple(lines))


def _resize(grid: Pixels, height: int, width: int) -> Pixels:
    """Resize an array (h, w, c) to (height, width, c) by bilinear interpolation between the centres of cells.

    Only elementwise operations are used, so the result is the same on every platform.
    """
    for axis, length in ((0, height), (1, width)):
        count = grid.shape[axis]
        position = np.clip((np.arange(length) + 0.5) * count / length - 0.5, 0, count - 1)
        lower = np.floor(position).astype(np.int64)
        upper = np.minimum(lower + 1, count - 1)
        shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
        share = (position - lower).reshape(shape)
        grid = np.take(grid, lower, axis) * (1 - share) + np.take(grid, upper, axis) * share
    return grid
