"""Make a dataset whose redundancy is known: clips of near-duplicates, made from the photographs of another dataset.

    python scripts/studies/redundancy.py datasets/aquarium.yaml --decay 1.5 --output runs/clips/zipf15

The new train split has `--images` images, which show `--scenes` scenes. A scene is a photograph from the train split of
the source, and no two scenes are near-duplicates. The frames of a scene form its clip. They are crops of the photograph
at slightly different places, with different brightness and JPEG quality. The lengths of the clips follow Zipf's law
with the exponent `--decay`. If it is 0, all clips are equally long. `--seed` decides which scenes are chosen, and which
of them have the longest clips. So datasets with the same seed differ only in the lengths of the clips.

Val and test are copies of the source's splits, so that every scene counts once in the evaluation.

The script writes a YOLO dataset and clips.json. This file has the lengths of the clips, the redundancy that follows
from them, and the redundancy that the search for near-duplicates finds.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from PIL import Image

from detreduce.dataset.health.redundancy import measure_redundancy
from detreduce.dataset.load import load_dataset, load_split
from detreduce.dataset.records import DetectionDataset
from detreduce.duplicates.search import near_duplicates
from detreduce.errors import InputError

VIEW = 0.94
"""A frame shows a part of the photograph. The width and height of this part are this fraction of the photograph's."""
BRIGHTNESS = (0.92, 1.08)
QUALITY = (70, 95)
LONGEST = 448
"""The longest side of a frame, in pixels."""
LEAST_SEEN = 0.5
"""A frame has the box of an object if at least this fraction of the box's area is visible in the frame."""
Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Design:
    """The parameters of a dataset, as on the command line; the text at the top of this file explains them."""

    scenes: int
    images: int
    decay: float
    seed: int


def clip_lengths(scenes: int, images: int, decay: float) -> list[int]:
    """Return the number of frames of each clip. The longest clip comes first.

    Clip number r has at least one frame, and about in proportion to r ** -decay. The numbers sum to `images`. Raise
    InputError if there are fewer images than scenes.
    """
    if not 1 <= scenes <= images:
        raise InputError(f"{images} images cannot show {scenes} scenes. Use at least one image for each scene.")
    shares = np.arange(1, scenes + 1, dtype=np.float64) ** -decay
    wanted = (images - scenes) * shares / shares.sum()
    extra = np.floor(wanted).astype(np.int64)
    for place in np.argsort(extra - wanted, kind="stable")[: images - scenes - int(extra.sum())]:
        extra[place] += 1
    return sorted((1 + extra).tolist(), reverse=True)


def frame_boxes(boxes: Boxes, left: float, top: float) -> tuple[Boxes, npt.NDArray[np.bool_]]:
    """Return the boxes of a photograph in the coordinates of a frame, and which of them are visible in the frame.

    Parameters
    ----------
    boxes
        (m, 4) corners of the boxes, as fractions of the photograph.
    left, top
        The first corner of the frame, as fractions of the photograph.

    Returns
    -------
    (m, 4) float64 and (m,) bool
        The corners as fractions of the frame, clipped to it, and whether enough of each box is visible.
    """
    moved = (boxes - [left, top, left, top]) / VIEW
    inside = np.clip(moved, 0.0, 1.0)
    seen, whole = (np.prod(corners[:, 2:] - corners[:, :2], axis=1) for corners in (inside, moved))
    return inside, (seen > 0) & (seen >= LEAST_SEEN * whole)


def choose_scenes(dataset: DetectionDataset, design: Design) -> list[int]:
    """Return the rows of the photographs that become scenes. The scene with the longest clip comes first.

    Only the first photograph in each group of near-duplicates can be chosen. Photographs without boxes are left out.
    """
    repeated = {image for group in near_duplicates(dataset).groups for image in group[1:]}
    boxes = dataset.class_counts.sum(axis=1)
    rows = [row for row, record in enumerate(dataset) if record.id not in repeated and boxes[row]]
    if len(rows) < design.scenes:
        raise InputError(f"The train split has {len(rows)} different photographs with boxes, not {design.scenes}.")
    order = np.random.default_rng([design.seed, 0]).permutation(len(rows))
    return [rows[place] for place in order[: design.scenes]]


def film(photograph: Image.Image, boxes: Boxes, frames: int, rng: np.random.Generator) -> Iterator[tuple[bytes, Any]]:
    """Yield the JPEG bytes of each frame of a clip, and the result of `frame_boxes` for this frame.

    `boxes` are (m, 4) corners as fractions of the photograph. `frames` is the number of frames.
    """
    width, height = photograph.size
    scale = min(1.0, LONGEST / (VIEW * max(width, height)))
    size = (round(VIEW * width * scale), round(VIEW * height * scale))
    for _ in range(frames):
        left, top = rng.uniform(0, 1 - VIEW, size=2)
        view = (left * width, top * height, (left + VIEW) * width, (top + VIEW) * height)
        pixels = np.asarray(photograph.resize(size, Image.Resampling.BILINEAR, box=view, reducing_gap=3.0), np.float64)
        bright = np.clip(pixels * rng.uniform(*BRIGHTNESS), 0, 255).astype(np.uint8)
        data = io.BytesIO()
        Image.fromarray(bright).save(data, "JPEG", quality=int(rng.integers(QUALITY[0], QUALITY[1] + 1)))
        yield data.getvalue(), frame_boxes(boxes, left, top)


def write_train(dataset: DetectionDataset, rows: Sequence[int], lengths: Sequence[int], seed: int, root: Path) -> None:
    """Write the frames of all clips, and their labels, into ``root/train``.

    `rows` are the photographs of the scenes, and `lengths` are the numbers of their frames.
    """
    for scene, (row, frames) in enumerate(zip(rows, lengths, strict=True)):
        places = np.flatnonzero((dataset.box_rows == row) & ~dataset.box_crowd)
        boxes, classes = dataset.boxes_xyxyn[places], dataset.box_classes[places]
        with Image.open(dataset[row].path) as opened:
            photograph = opened.convert("RGB")
        rng = np.random.default_rng([seed, 1, scene])
        for number, (data, (seen, visible)) in enumerate(film(photograph, boxes, frames, rng)):
            name = f"scene{scene:04d}_frame{number:03d}"
            _write(root / "train", name, ".jpg", data, _lines(seen[visible], classes[visible]))


def copy_split(dataset: DetectionDataset, folder: Path) -> None:
    """Copy the images of a split into a folder, and write their boxes as YOLO labels."""
    for row, record in enumerate(dataset):
        places = np.flatnonzero((dataset.box_rows == row) & ~dataset.box_crowd)
        lines = _lines(np.clip(dataset.boxes_xyxyn[places], 0, 1), dataset.box_classes[places])
        _write(folder, f"image{row:04d}", record.path.suffix.lower(), record.path.read_bytes(), lines)


def _lines(boxes: Boxes, classes: npt.NDArray[np.int64]) -> str:
    """Return the text of a YOLO label file. `boxes` are (m, 4) corners as fractions of the image."""
    middle, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    rows = zip(classes.tolist(), np.hstack([middle, sides]).tolist(), strict=True)
    return "".join(f"{name} " + " ".join(f"{value:.6f}" for value in box) + "\n" for name, box in rows)


def _write(folder: Path, name: str, suffix: str, data: bytes, lines: str) -> None:
    for part, content, ending in (("images", data, suffix), ("labels", lines.encode(), ".txt")):
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / f"{name}{ending}").write_bytes(content)


def make(source: Path, design: Design, root: Path) -> dict[str, Any]:
    """Write the dataset into the new folder `root`, and return the content of clips.json."""
    if root.exists() and any(root.iterdir()):
        raise InputError(f"{root} is not empty. Pass a new folder.")
    train = load_dataset(source, split="train")
    lengths = clip_lengths(design.scenes, design.images, design.decay)
    rows = choose_scenes(train, design)
    write_train(train, rows, lengths, design.seed, root)
    others = [name for name in ("val", "test") if name in train.source.splits]
    for name in others:
        copy_split(load_split(train.source, name), root / name)
    content = {name: f"{name}/images" for name in ("train", *others)} | {"names": dict(enumerate(train.class_names))}
    (root / "data.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return {"source": source.name, **{name: getattr(design, name) for name in Design.__slots__}} | search(root, lengths)


def search(root: Path, lengths: Sequence[int]) -> dict[str, Any]:
    """Return the redundancy that follows from the lengths, and the redundancy that the search for near-duplicates
    finds.
    """
    dataset = load_dataset(root / "data.yaml", split="train")
    groups = near_duplicates(dataset).groups
    scenes = [{str(image).rpartition("/")[2].partition("_")[0] for image in group} for group in groups]
    sizes = [len(group) for group in groups]
    found = measure_redundancy([*sizes, *[1] * (len(dataset) - sum(sizes))])
    return {
        "lengths": list(lengths),
        "made": measure_redundancy(lengths).to_dict(),
        "found": found.to_dict(),
        "groups_of_several_scenes": sum(len(names) > 1 for names in scenes),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, help="data.yaml of the photographs")
    parser.add_argument("--output", type=Path, required=True, help="a new folder")
    parser.add_argument("--scenes", type=int, default=112)
    parser.add_argument("--images", type=int, default=448)
    parser.add_argument("--decay", type=float, default=0.0, help="exponent of Zipf's law; 0: equal lengths")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    design = Design(options.scenes, options.images, options.decay, options.seed)
    said = make(options.source, design, options.output)
    (options.output / "clips.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in said.items() if name != "lengths"}, indent=1))


if __name__ == "__main__":
    main()
