"""Check that each method chooses the same images with any number of threads, hash seed, locale, cache and folder.

`main` makes the demo dataset with some non-ASCII file names, and starts a process for each setting. Each process
extracts features and lets every method choose images. All processes must return the same hashes of the chosen images.
Run it by hand:

    python scripts/torture/same_answer.py                        # all settings
    python scripts/torture/same_answer.py --short                # the settings of the test
    python scripts/torture/same_answer.py --python /opt/py313/bin/python   # also with this Python
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCENES = {True: 20, False: 120}
"""The number of scenes in the demo dataset: with ``--short`` (True), and without it (False)."""
IMGSZ = 64
NOT_ASCII = ("é", "日本", "Ω")
OTHER_PLACE = "ordner ä/kopie"
KEEPS = {True: (0.25,), False: (0.25, 0.5)}
SEEDS = {True: (0,), False: (0, 1)}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Setting:
    """One way to run the same work, which must not change the result.

    Attributes
    ----------
    name
        The name of the setting in messages.
    env
        Environment variables to set.
    place
        The folder of the dataset. It is ``data``, or a copy in another place, whose files were made in another order.
    cache
        How much of the features the cache contains at the start: ``fresh`` (nothing), ``partly`` or ``wholly``.
    workers
        The argument `workers` of `extract_features`.
    folder
        The working folder: ``out`` or ``data``.
    python
        The path of the Python to use.
    """

    name: str
    env: dict[str, str] = field(default_factory=dict)
    place: str = "data"
    cache: str = "fresh"
    workers: int | None = None
    folder: str = "out"
    python: str = sys.executable


ONE, TWO, FOUR = ({name: str(count) for name in THREADS} for count in (1, 2, 4))
PLAIN = Setting("plain")
SHORT = (
    PLAIN,
    Setting("partly cached, 1 thread, hash seed 1", {**ONE, "PYTHONHASHSEED": "1"}, cache="partly", workers=1),
    Setting(
        "wholly cached, 4 threads, hash seed 2, other place, order and working folder",
        {**FOUR, "PYTHONHASHSEED": "2"},
        OTHER_PLACE,
        cache="wholly",
        folder="data",
    ),
)
LONG = (
    PLAIN,
    Setting("hash seed 7", {"PYTHONHASHSEED": "7"}),
    Setting("1 thread", ONE),
    Setting("2 threads", TWO),
    Setting("4 threads", FOUR),
    Setting("1 worker", workers=1),
    Setting("3 workers, 2 threads", TWO, workers=3),
    Setting("other place and order", place=OTHER_PLACE),
    Setting("other working folder", folder="data"),
    Setting("partly cached", cache="partly"),
    Setting("partly cached, 4 threads", FOUR, cache="partly", workers=4),
    Setting("wholly cached", cache="wholly"),
    Setting("UTF-8 locale", {"LC_ALL": "C.UTF-8"}),
)
LOCALES = {
    "UTF-8": {"PYTHONUTF8": "1"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Latin-1": {"LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
"""Locales in which the command runs. From Python, `load_dataset` refuses non-ASCII names without UTF-8."""


def main(short: bool, pythons: Sequence[str] = ()) -> list[str]:
    """Run all settings, and also each Python in `pythons`. Return a line for each difference."""
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_inputs(root, short)
        settings = [*(SHORT if short else LONG), *(Setting(f"Python {python}", python=python) for python in pythons)]
        runs = {setting.name: run(root, setting, short) for setting in settings}
        commands = {
            f"command, locale {locale}": command(root, locale, short)
            for locale in list(LOCALES)[: 2 if short else None]
        }
    for results in (runs, commands):
        expected = next(iter(results.values()))
        for name, found in results.items():
            differing = sorted(key for key in expected | found if expected.get(key) != found.get(key))
            print(f"{name}: {len(found)} hashes, {len(differing)} differ", flush=True)
            if differing or "error" in found:
                failures.append(f"{name}: differs in {', '.join(differing)}. {found.get('error', '')}")
    return failures


def command(root: Path, locale: str, short: bool) -> dict[str, str]:
    """Return the hashes of the files that `detreduce reduce` writes in a locale.

    If the command fails, the result has its message under ``error``.
    """
    hashes = {}
    for method in ("srs", "class_coverage") if short else ("srs", "class_coverage", "mms", "facility"):
        out = root / "reduced" / f"{locale}-{method}"
        done = _start(
            [
                sys.executable,
                "-m",
                "detreduce",
                "reduce",
                str(root / OTHER_PLACE / "data.yaml"),
                "-m",
                method,
                "-o",
                str(out),
            ],
            root,
            {"DETREDUCE_CACHE": str(root / "cache-command"), **LOCALES[locale]},
        )
        if done.returncode:
            return {"error": f"exit code {done.returncode}: {done.stderr.strip()[-2000:]}"}
        content = json.loads((out / "selection.json").read_text(encoding="utf-8"))
        hashes[method] = _hash_names(content["image_ids"])
        hashes[f"files of {method}"] = _hash_names(sorted(str(path.relative_to(out)) for path in out.rglob("*")))
    return hashes


def run(root: Path, setting: Setting, short: bool) -> dict[str, str]:
    """Return the hashes of the choices that a process with this setting makes.

    If the process fails, the result has its message under ``error``.
    """
    cache = root / ("cache-plain" if setting.cache == "wholly" else f"cache-{setting.name}")
    order = {
        "data": str(root / setting.place / "data.yaml"),
        "cache": str(cache),
        "proxy": str(root / "proxy.npz"),
        "workers": setting.workers,
        "keeps": KEEPS[short],
        "seeds": SEEDS[short],
        "part": setting.cache == "partly",
    }
    done = _start(
        # the JSON is in ASCII, because the encoding of the process may lack some characters
        [setting.python, str(Path(__file__).resolve()), "--worker", json.dumps(order)],
        root / (setting.place if setting.folder == "data" else "out"),
        setting.env,
    )
    if done.returncode:
        return {"error": f"exit code {done.returncode}: {done.stderr.strip()[-2000:]}"}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _start(arguments: list[str], folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a process whose environment has none of the variables that the settings change, except the given
    `variables`.
    """
    changed = {name for setting in LONG for name in setting.env} | {name for own in LOCALES.values() for name in own}
    environment = {name: value for name, value in os.environ.items() if name not in changed}
    environment |= {"PYTHONPATH": str(ROOT), **variables}
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
    )


def make_inputs(root: Path, short: bool) -> None:
    """Write the dataset, a copy of it whose files are made in another order, and the made-up results of a proxy
    training.
    """
    import detreduce as dr
    from detreduce.dataset.demo import make_demo

    data = root / "data"
    make_demo(data, scenes=SCENES[short], size=IMGSZ)
    images = sorted((data / "images").rglob("*.png"))
    for number, image in enumerate(images):
        if number % 5 == 0:
            stem = f"{image.stem}_{NOT_ASCII[number // 5 % len(NOT_ASCII)]}"
            label = data / "labels" / image.relative_to(data / "images").with_suffix(".txt")
            image.rename(image.with_stem(stem))
            label.rename(label.with_stem(stem))
    train = sorted((data / "images" / "train").glob("*.png"))
    # some images are copied: copies have equal features, so methods must break ties between equal scores
    for image in train[::9]:
        copy = image.with_stem(f"{image.stem}_copy")
        shutil.copyfile(image, copy)
        label = data / "labels" / "train" / f"{image.stem}.txt"
        shutil.copyfile(label, label.with_stem(copy.stem))
    moved = root / OTHER_PLACE
    for file in sorted((path for path in data.rglob("*") if path.is_file()), reverse=True):
        target = moved / file.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    _make_proxy(dr.load_dataset(data / "data.yaml"), root / "proxy.npz")


def _make_proxy(dataset: Any, path: Path) -> None:
    """Write a log and weights as a proxy training would write them, with random numbers."""
    import numpy as np
    import torch

    from detreduce.arrays.proxy_log import ProxyLog
    from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics

    quiet_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    rng = np.random.default_rng(0)
    shape = (3, len(dataset.box_rows))
    measures = {name: rng.random(shape).astype(np.float16) for name in ("iou", "confidence", "error", "margin")}
    facts = {"class_names": list(dataset.class_names), "imgsz": IMGSZ, "epochs": 3, "model": "yolov8n.yaml"}
    ProxyLog(
        dataset.image_ids,
        dataset.box_rows.astype(np.int32),
        dataset.box_classes.astype(np.int32),
        dataset.boxes_xyxyn.astype(np.float16),
        **measures,
        loss=rng.random(shape).astype(np.float32),
        facts=facts,
    ).save(path)
    torch.manual_seed(0)
    model = DetectionModel("yolov8n.yaml", nc=len(dataset.class_names), verbose=False)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.weight.data.uniform_(1.0, 3.0)
    model.args = {"box": 7.5, "cls": 0.5, "dfl": 1.5, "task": "detect"}
    torch.save({"model": model, "train_args": {"task": "detect", "cls": 0.5}}, path.with_suffix(".pt"))


def _detector(proxy: str) -> Any:
    """Return the random weights that `make_proxy` wrote, as a detector that predicts many boxes."""
    import detreduce as dr

    return dr.Detector(Path(proxy).with_suffix(".pt"), confidence=0.001, imgsz=IMGSZ)


def choose_all(order: dict[str, Any]) -> dict[str, str]:
    """Extract features, and choose images with every method. Return the hash of each result, by its name.

    `order` is the JSON that `run` passes to the process.
    """
    from dataclasses import replace

    import detreduce as dr
    from detreduce.reducers import list_reducers

    whole = dr.load_dataset(order["data"])
    # at first, every third image is extracted, so that the batches differ from the batches of a single run
    parts = [replace(whole, records=whole.records[::3]), whole] if order["part"] else [whole]
    for dataset in parts:
        table = dr.extract_features(
            dataset,
            blocks=("image", "objects", "annotations", "dynamics", "gradients"),
            imgsz=IMGSZ,
            cache=order["cache"],
            proxy=order["proxy"],
            workers=order["workers"],
        )
    assert table.objects is not None and table.objects.vectors is not None
    predicted = dr.predict_boxes(
        whole, _detector(order["proxy"]), mirrored=True, workers=order["workers"], cache=order["cache"]
    )
    scores = dr.extract_features(predicted, blocks=("uncertainty", "disagreement"))
    table = replace(table, blocks={**table.blocks, **scores.blocks})
    hashes = {f"features {name}": _hash(block.tobytes()) for name, block in table.blocks.items()}
    hashes["features of boxes"] = _hash(table.objects.vectors.tobytes())
    for method in list_reducers():
        for keep in order["keeps"]:
            for seed in order["seeds"]:
                chosen = dr.select(table, method, keep, seed)
                hashes[f"{method} {keep} {seed}"] = _hash(
                    "\n".join(map(str, chosen.image_ids)).encode("utf-8", "surrogatepass")
                )
    hashes["mms without near-duplicates"] = _hash_names(dr.select(table, "mms", 0.25, drop_duplicates=True).image_ids)
    return hashes


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _hash_names(names: Sequence[Any]) -> str:
    # surrogates keep the bytes of names that the encoding of the locale cannot decode
    return _hash("\n".join(map(str, names)).encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--python", action="append", default=[], help="also compare with this Python")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(choose_all(json.loads(options.worker))))
        sys.exit()
    found = main(options.short, options.python)
    print("\n".join(found) or "every setting gives the same answer")
    sys.exit(bool(found))
