"""Compare how many images per second are embedded by the paper's code, YOLO.embed, the network alone, and detreduce.

    python scripts/benchmarks/embedding.py [--rounds 5] [--images 448] [--imgsz 320] [--json out.json]
    python scripts/benchmarks/embedding.py --only detreduce

The script also measures how much longer the image and objects blocks take together than the image block alone.

All variants run in one process. Every round runs each variant once, so that other programs on the machine slow down all
variants alike. The printed numbers are medians over the rounds. The script looks for the photographs of aquarium and
for yolov8n.pt in ../shared, or in the folder that DETREDUCE_SHARED names.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from detreduce.dataset.records import DetectionDataset

os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")

SHARED = Path(os.environ.get("DETREDUCE_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
BARE_BATCH = 16
PAUSE_SECONDS = 1.0
TOLERANCE = 1e-2
OURS = "detreduce, from files, cold cache, float32"
WITH_OBJECTS = "the same with the objects block"
EXACT = "network only, tensors of detreduce, float32 fused channels-last"

Arm = Callable[[], "np.ndarray | None"]


def main() -> None:
    arguments = _arguments()
    import torch

    weights = arguments.weights or SHARED / "weights" / "yolov8n.pt"
    data = SHARED / "data" / "aquarium" / "data.yaml"
    if not data.is_file() or not weights.is_file():
        raise SystemExit(f"needs {data} and {weights} (set DETREDUCE_SHARED)")
    from detreduce.dataset import load_dataset

    whole = load_dataset(data, split="train")
    dataset = replace(whole, records=whole.records[: arguments.images])
    print(
        f"{len(dataset)} photographs with {len(dataset.box_rows)} boxes, {weights.name}, {arguments.imgsz} px, "
        f"{torch.get_num_threads()} torch threads, torch {torch.__version__}, "
        f"load {os.getloadavg()[0]:.1f} before the first round"
    )
    with tempfile.TemporaryDirectory() as folder:
        arms = _arms(dataset, weights, arguments.imgsz, Path(folder))
        if arguments.only == "detreduce":
            arms = {name: arm for name, arm in arms.items() if name in (OURS, WITH_OBJECTS)}
        walls, cpus, features = _race(arms, arguments.rounds)
    _report(len(dataset), walls, cpus, features)
    if arguments.only is None:
        _compare(walls, cpus, _errors(features))
    paired = np.divide(walls[WITH_OBJECTS], walls[OURS])
    work = np.median(cpus[WITH_OBJECTS]) / np.median(cpus[OURS])
    print(
        f"\nimage and objects / image alone: {np.median(paired):.2f} times the seconds, median of {len(paired)} rounds "
        f"({paired.min():.2f} to {paired.max():.2f}; by CPU time {work:.2f})"
    )
    if arguments.json:
        content = {"images": len(dataset), "wall_s": walls, "cpu_s": cpus, "relative_error": _errors(features)}
        arguments.json.write_text(json.dumps(content, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=448)
    parser.add_argument("--imgsz", type=int, default=320)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--only", choices=["detreduce"], help="leave out the other variants")
    parser.add_argument("--json", type=Path, help="write every round's seconds here")
    return parser.parse_args()


def _race(arms: dict[str, Arm], rounds: int):  # type: ignore[no-untyped-def]
    walls: dict[str, list[float]] = {name: [] for name in arms}
    cpus: dict[str, list[float]] = {name: [] for name in arms}
    features: dict[str, np.ndarray] = {}
    for number in range(rounds + 1):
        for name, arm in arms.items():
            time.sleep(PAUSE_SECONDS)  # the threads of the previous variant still use the CPU for a while
            wall, cpu = time.perf_counter(), time.process_time()
            result = arm()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if result is not None:
                features[name] = result
            if number:  # the first round is a warm-up and does not count
                walls[name].append(wall)
                cpus[name].append(cpu)
        print(f"round {number} of {rounds}, load {os.getloadavg()[0]:.1f}", flush=True)
    return walls, cpus, features


def _arms(dataset: DetectionDataset, weights: Path, imgsz: int, folder: Path) -> dict[str, Arm]:
    import cv2
    import torch
    from ultralytics import YOLO

    from detreduce.features.backbones import Network, make_backbone
    from detreduce.images.decode import decode

    torch.set_grad_enabled(False)
    paths = [record.path for record in dataset]
    detector = YOLO(weights)
    last = len(detector.model.yaml["backbone"]) - 1
    plain = torch.nn.Sequential(*copy.deepcopy(detector.model).float().eval().model[: last + 1])
    backbone = make_backbone(f"yolo:{weights}", imgsz)
    networks = {
        dtype: Network(backbone.build(), backbone.preprocess, torch.device("cpu"), dtype)
        for dtype in (torch.float32, torch.bfloat16)
    }
    prepared = [backbone.preprocess(decode(path.read_bytes())) for path in paths]
    groups = _same_shape(prepared)
    squares = torch.rand(BARE_BATCH, 3, imgsz, imgsz)

    def papers_way() -> None:
        for path in paths:
            image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
            plain(tensor).mean((2, 3)).numpy()

    def embed(layers: list[int] | None) -> None:
        copy.copy(detector).embed([str(path) for path in paths], imgsz=imgsz, embed=layers, verbose=False)

    def bare_squares(module: torch.nn.Module, tensor: torch.Tensor) -> None:
        for start in range(0, len(paths), BARE_BATCH):
            module(tensor[: len(paths) - start]).mean((2, 3))

    def bare_same(dtype: torch.dtype) -> np.ndarray:
        rows = np.empty((len(paths), 0), np.float32)
        for indices, tensor in ready[dtype]:
            vectors = networks[dtype].pool(networks[dtype].module(tensor)).numpy()
            rows = rows if rows.shape[1] else np.empty((len(paths), vectors.shape[1]), np.float32)
            rows[indices] = vectors
        return rows

    ready = {
        dtype: [(indices, network.tensor(torch.from_numpy(stack))) for indices, stack in groups]
        for dtype, network in networks.items()
    }
    last_squares = squares.contiguous(memory_format=torch.channels_last)
    return {
        "the paper's code: batch 1, original size, from files": papers_way,
        "YOLO.embed with its defaults, from files": lambda: embed(None),
        f"YOLO.embed, layer {last}, from files": lambda: embed([last]),
        "network only, squares, float32": lambda: bare_squares(plain, squares),
        "network only, squares, float32 fused channels-last": lambda: bare_squares(
            networks[torch.float32].module, last_squares
        ),
        "network only, squares, bfloat16": lambda: bare_squares(
            networks[torch.bfloat16].module, last_squares.bfloat16()
        ),
        EXACT: lambda: bare_same(torch.float32),
        "network only, tensors of detreduce, bfloat16": lambda: bare_same(torch.bfloat16),
        OURS: lambda: _ours(dataset, weights, imgsz, folder, "float32", ("image",)),
        WITH_OBJECTS: lambda: _ours(dataset, weights, imgsz, folder, "float32", ("image", "objects")),
        "detreduce, from files, cold cache, bfloat16": lambda: _ours(
            dataset, weights, imgsz, folder, "bfloat16", ("image",)
        ),
    }


def _same_shape(images: list[np.ndarray]) -> list[tuple[list[int], np.ndarray]]:
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        by_shape.setdefault(image.shape, []).append(index)
    chunks = [rows[i : i + BARE_BATCH] for rows in by_shape.values() for i in range(0, len(rows), BARE_BATCH)]
    return [(chunk, np.stack([images[i] for i in chunk])) for chunk in chunks]


def _ours(
    dataset: DetectionDataset, weights: Path, imgsz: int, folder: Path, precision: str, blocks: tuple[str, ...]
) -> np.ndarray:
    from detreduce.features import extract_features

    with tempfile.TemporaryDirectory(dir=folder) as cache:
        table = extract_features(
            dataset,
            f"yolo:{weights}",
            blocks,
            imgsz=imgsz,
            precision=precision,
            cache=cache,  # type: ignore[arg-type]
        )
    assert table.provenance["image"]["embedded"] == len(dataset)
    return table.blocks["image"]


def _errors(features: dict[str, np.ndarray]) -> dict[str, float]:
    if EXACT not in features:
        return {}
    exact = features[EXACT].astype(np.float64)
    return {
        name: float(np.linalg.norm(rows - exact) / np.linalg.norm(exact))
        for name, rows in features.items()
        if len(rows)
    }


def _report(count: int, walls, cpus, features) -> None:  # type: ignore[no-untyped-def]
    errors = _errors(features)
    print(f"\n{'':62}{'images/s':>9}{'best':>7}{'CPU ms':>8}{'rel. error':>12}")
    for name, seconds in walls.items():
        error = f"{errors[name]:12.1e}" if name in errors else ""
        cpu = 1e3 * float(np.median(cpus[name])) / count
        print(f"{name:62}{count / np.median(seconds):9.0f}{count / min(seconds):7.0f}{cpu:8.2f}{error}")


def _compare(walls, cpus, errors) -> None:  # type: ignore[no-untyped-def]
    rough = errors["network only, tensors of detreduce, bfloat16"]
    allowed = [name for name in walls if "bfloat16" not in name or rough <= TOLERANCE]
    fastest = [
        min((name for name in allowed if name.startswith(start)), key=lambda name: np.median(walls[name]))
        for start in ("network only, squares", "network only, tensors of detreduce")
    ]
    print(f"\nbfloat16 is {'within' if rough <= TOLERANCE else 'outside'} {TOLERANCE:g} of float32's features")
    for other in (*[name for name in walls if name.startswith(("the paper", "YOLO"))], *fastest):
        paired = np.median(np.divide(walls[other], walls[OURS]))
        work = np.median(cpus[other]) / np.median(cpus[OURS])
        print(f"detreduce / {other:62}{paired:6.2f} (by CPU time {work:.2f})")


if __name__ == "__main__":
    main()
