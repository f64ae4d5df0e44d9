"""Measure the pass over a video: throughput compared with decoding plus embedding alone, and peak memory.

    python scripts/benchmarks/videos.py [--frames 1000] [--moving 0.5] [--rounds 3] [--json out.json]
    python scripts/benchmarks/videos.py --simulate 100000 --keep 1000 [--json out.json]

The video has 640 x 360 pixels and 30 frames per second, and is made of drawn scenes. In a share `--moving` of its
scenes the camera moves; in the others it stands still. Every frame is used.

The first command times three programs in turn, each in a process of its own, and gives the CPU seconds and the seconds
by the clock of each round:

- bare: OpenCV decodes each frame, and the network computes its vector, with the same number of threads
- every frame: our pass with signatures, near-duplicates and the cache, where every frame gets its vector
- pass: our pass as `reduce` runs it, where near-duplicates in time get no vector

`--simulate n` measures what comes after the pass: it stores random signatures and vectors of n frames as a pass would,
and then times reading them, the near-duplicates, the method facility and the selection.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT, RATE, SCENE = 640, 360, 30.0, 90


def make_video(file: Path, frames: int, moving: float) -> None:
    """Write a video of drawn scenes of three seconds each."""
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"mp4v"), RATE, (WIDTH, HEIGHT))
    for start in range(0, frames, SCENE):
        coarse = rng.integers(0, 256, (24, 60, 3), dtype=np.uint8)
        wide = cv2.resize(coarse, (WIDTH * 3, HEIGHT), interpolation=cv2.INTER_CUBIC)
        step = 12 if rng.random() < moving else 0
        for number in range(min(SCENE, frames - start)):
            image = wide[:, number * step : number * step + WIDTH].copy()
            # an object that moves through the scene
            cv2.circle(image, (7 * number % WIDTH, HEIGHT // 2), 20, (30, 200, 250), -1)
            writer.write(image)
    writer.release()


def run_bare(video: Path, cache: Path) -> dict[str, float]:
    """Decode and embed every frame, and nothing else."""
    from collections import deque

    from detreduce.features.backbones import make_backbone
    from detreduce.features.pixels.embedding import embed_groups
    from detreduce.features.pixels.precision import Networks
    from detreduce.features.pixels.running import Running
    from detreduce.images.batches import network_input, threads

    device = Running().pick_device()
    backbone = make_backbone("efficientnet-lite0")
    networks = Networks(backbone, device)
    batch = Running().batch_size(device)

    def frames() -> object:
        capture, number = cv2.VideoCapture(str(video)), 0
        waiting: deque[object] = deque()
        while (read := capture.read())[0]:
            rgb = cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
            waiting.append((number, pools.decode.submit(network_input, rgb, backbone.preprocess)))
            number += 1
            if len(waiting) > 8:
                row, future = waiting.popleft()
                yield [(row, future.result())]
        while waiting:
            row, future = waiting.popleft()
            yield [(row, future.result())]

    with threads(device.type) as pools:
        networks("float32")
        start, cpu = time.perf_counter(), time.process_time()
        done = sum(
            len(group)
            for group, _ in embed_groups(
                frames(), lambda: networks("float32"), pools.forward, pools.count + 1, lambda group: None, batch
            )
        )
        return {
            "frames": done,
            "seconds": time.perf_counter() - start,
            "cpu": time.process_time() - cpu,
            "vectors": done,
        }


def run_pass(video: Path, cache: Path, threshold: float = 0.85) -> dict[str, float]:
    """Run the pass of `reduce`. With a threshold of 1, practically every frame gets a vector."""
    from detreduce.dataset import load_dataset
    from detreduce.duplicates.time_search import TimeSearch
    from detreduce.features.backbones import make_backbone
    from detreduce.features.pixels.precision import Networks
    from detreduce.features.pixels.running import Running
    from detreduce.features.request import Extraction

    Networks(make_backbone("efficientnet-lite0"), Running().pick_device())("float32")
    start, cpu = time.perf_counter(), time.process_time()
    data = load_dataset(video, every=1)
    loaded = time.perf_counter() - start
    frames = TimeSearch(data, np.arange(len(data)), threshold, cache=cache).in_pass()
    table = Extraction(blocks=("image",), precision="float32", cache=cache).run(data, frames)
    return {
        "frames": len(data),
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "vectors": len(table),
        "loading": loaded,
    }


def simulate(count: int, keep: int, cache: Path) -> dict[str, float]:
    """Store random results of a pass, and time the steps after the pass."""
    from detreduce.arrays.distances import CentredPoints  # noqa: F401 (imported before the clock starts)
    from detreduce.duplicates.in_time import FramesInOrder, TimeGroups
    from detreduce.duplicates.pixels.signatures import SIGNATURE_BYTES, SignatureStore, picture_of
    from detreduce.images.job import ImageVectors
    from detreduce.images.store import VectorStore
    from detreduce.machine.hashes import content_digest
    from detreduce.reducers import make_reducer

    rng = np.random.default_rng(0)
    found: dict[str, float] = {"frames": count}
    digests = {row: content_digest(str(row).encode()) for row in range(count)}
    signatures, vectors = SignatureStore(cache), VectorStore(cache, {"backbone": "simulated"})
    centre, scene = rng.normal(size=1280).astype(np.float32), b""
    for row in range(count):
        if row % SCENE == 0:
            centre = rng.normal(size=1280).astype(np.float32)
            scene = cv2.resize(rng.integers(0, 256, (8, 8), dtype=np.uint8), (64, 64)).ravel()
        noise = rng.integers(0, 12, 64 * 64, dtype=np.uint8)
        head = np.frombuffer(digests[row] + bytes(8), np.uint8)
        signatures.add(digests[row], np.concatenate([head, np.roll(scene, 3 * (row % SCENE)) // 2 + noise]))
        vectors.add(digests[row], centre + 0.3 * rng.normal(size=1280).astype(np.float32))
    signatures.flush()
    vectors.flush()
    start = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal start
        found[name] = round(time.perf_counter() - start, 1)
        start = time.perf_counter()

    kinds = [
        ImageVectors(SignatureStore(cache), np.arange(count + 1)),
        ImageVectors(VectorStore(cache, {"backbone": "simulated"}), np.arange(count + 1)),
    ]
    for one in kinds:
        one.recall(digests)
    lap("reading")
    pictures = kinds[0].array(SIGNATURE_BYTES)
    groups = TimeGroups(0.85)
    FramesInOrder(groups, {Path("a.mp4"): list(range(count))}, lambda row: picture_of(pictures[row])).add_all()
    lap("near-duplicates in time")
    found["near-duplicates"] = len(groups.matches)
    X = kinds[1].array()
    make_reducer("facility", keep=keep, random_state=0).fit(X)
    lap("facility, with every frame")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--moving", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--simulate", type=int)
    parser.add_argument("--keep", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        program, video = options.child
        with tempfile.TemporaryDirectory() as cache:
            if program == "simulate":
                found = simulate(options.simulate, options.keep, Path(cache))
            elif program == "bare":
                found = run_bare(Path(video), Path(cache))
            else:
                found = run_pass(Path(video), Path(cache), 1.0 if program == "every frame" else 0.85)
        found["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        print(json.dumps(found))
        return
    results: dict[str, object] = {}

    def child(program: str, video: Path, *more: str) -> dict[str, float]:
        command = [sys.executable, __file__, "--child", program, str(video), *more]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout.splitlines()[-1])

    if options.simulate:
        results["simulated"] = child(
            "simulate", Path(), "--simulate", str(options.simulate), "--keep", str(options.keep)
        )
    else:
        with tempfile.TemporaryDirectory() as folder:
            video = Path(folder) / "drive.mp4"
            make_video(video, options.frames, options.moving)
            rounds = [
                {program: child(program, video) for program in ("bare", "every frame", "pass")}
                for _ in range(options.rounds)
            ]
        ratios = {
            program: {
                by: round(sorted(one["bare"][by] / one[program][by] for one in rounds)[len(rounds) // 2], 3)
                for by in ("cpu", "seconds")
            }
            for program in ("every frame", "pass")
        }
        results = {"rounds": rounds, "throughput, bare = 1 (median)": ratios}
    text = json.dumps(results, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
