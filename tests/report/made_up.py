"""Experiments with made-up trainings, on datasets whose names do harm if a page does not escape names."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.experiment.ledger.finished_cell import TRAIN_FOLDER, FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.training.energy import ComponentEnergy, PhaseEnergy
from detreduce.training.evaluation.figures import Evaluation
from detreduce.training.record import Counts, DataFacts, Flops, ModelFacts, TrainingRecord

SCRIPT = "</script><script>document.title='owned'</script>"
# the text after the mark is shown from right to left, so the name looks like "fish.txt"
DISGUISED = "fish\u202etxt.\u200b"
CLASSES = [SCRIPT, "\"><img src=x onerror=document.title='owned'>", "🐟 $x$ & co", "تمساح", DISGUISED]
NAMES = [
    "<script>document.title='owned'",
    'it\'s "quoted"',
    "🐟",
    "تمساح",
    "a&amp;b",
    "{{ 7 * 7 }}",
    "--> x",
    DISGUISED,
]
# train images that are copies of others: re-encoded, and mirrored
COPIES, MIRRORED = {9: 2, 12: 2}, {11: 5}


def hostile_dataset(folder: Path, images: int = 30) -> Path:
    """A YOLO dataset of small pictures. Two images of val are copies of images of train, and three images of train are
    copies of other train images.
    """
    generator = np.random.default_rng(0)
    for split, count in (("train", images), ("val", 6)):
        for row in range(count):
            name = f"{NAMES[row % len(NAMES)]}{row:02}"
            image = folder / split / "images" / f"{name}.jpg"
            label = folder / split / "labels" / f"{name}.txt"
            for file in (image, label):
                file.parent.mkdir(parents=True, exist_ok=True)
            if split == "val" and row < 2:
                twin = folder / "train" / "images" / f"{name}.jpg"
                image.write_bytes(twin.read_bytes())
            elif split == "train" and row in COPIES | MIRRORED:
                twin = (COPIES | MIRRORED)[row]
                with Image.open(folder / "train" / "images" / f"{NAMES[twin % len(NAMES)]}{twin:02}.jpg") as other:
                    again = other if row in COPIES else other.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
                    again.save(image, quality=88)
            else:
                pixels = generator.integers(0, 255, (6, 8, 3), np.uint8)
                Image.fromarray(pixels).resize((96, 72), Image.Resampling.BICUBIC).save(image)
            boxes = [f"{row % len(CLASSES)} 0.3 0.4 {0.1 + 0.02 * (row % 9):.2f} 0.2"] * (1 + row % 3)
            label.write_text("\n".join(boxes) + "\n")
    file = folder / "data.yaml"
    content = {"train": "train/images", "val": "val/images", "names": CLASSES}
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return file


def hostile_experiment(folder: Path, **changes: Any) -> Path:
    """The YAML of an experiment on `hostile_dataset`, with given vectors."""
    data = hostile_dataset(folder / "set")
    dataset = load_dataset(data)
    generator = np.random.default_rng(1)
    with (folder / "vectors.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *"abcde"])
        writer.writerows([[record.name, *generator.normal(size=5).round(4)] for record in dataset])
    content = {
        "name": "tiny",
        "dataset": str(data),
        "features": {"backbone": f"file:{folder / 'vectors.csv'}", "blocks": ["image"]},
        "reduce": {"methods": ["srs", "mms"], "keep": [0.5, 0.2], "seeds": [0, 1, 2]},
        "train": {"model": "yolov8n.yaml", "seeds": [0, 1, 2], "epochs": 3},
        "evaluate": {"on": "val"},
        "allow_leaks": True,
        "controls": ["full", "full_equal_iterations"],
        **changes,
    }
    target = folder / "hostile.yaml"
    target.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return target


def made_up_record(
    images: int, *, seed: int, epochs: int = 3, seen: int | None = None, lift: float = 0.0
) -> TrainingRecord:
    """A record whose mAP grows with the images seen, plus `lift`, and whose energy is 0.01 Wh for each image seen."""
    seen = seen if seen is not None else images * epochs
    figure = 0.6 * (1 - np.exp(-seen / 60)) + 0.01 * seed + lift
    wh = seen / 100
    parts = {
        "cpu": ComponentEnergy(wh=wh / 4, provenance="modelled", method="load of the machine x 8 W"),
        "ram": ComponentEnergy(wh=wh * 3 / 4, provenance="constant", method="watts by memory slots"),
    }
    energy = PhaseEnergy(seconds=60.0 * seen, wh=wh, g_co2=wh / 5, components=parts, country="ESP")
    return TrainingRecord(
        evaluation=Evaluation(
            splits=["val"], images=6, boxes=9, mAP50=figure, mAP50_95=figure / 2, precision=0.5, recall=0.5
        ),
        energy={"training": energy, "evaluation": energy.model_copy(update={"wh": wh / 10})},
        seconds=60.0 * seen,
        counts=Counts(optimiser_steps=seen // 4, batches=seen // 4, images_seen=seen, epochs=epochs),
        data=DataFacts(
            path="d.yaml",
            hash="d" * 64,
            splits={"train": images},
            train_images=images,
            train_boxes=9,
            class_names=CLASSES,
        ),
        model=ModelFacts(
            name="yolov8n.yaml",
            task="detect",
            parameters=1,
            weights_before=None,
            weights_after="0",
            weights_file="last.pt",
        ),
        choose="last",
        seed=seed,
        flops=Flops(forward=1e9, backward=2e9, method="made up"),
        imgsz=64,
        arguments={},
        resolved={"optimizer": "AdamW", "batch": 4},
        history=[{"train/box_loss": 3.0 / epoch, "train/cls_loss": 2.0 / epoch} for epoch in range(1, epochs + 1)],
        device="cpu",
        cpu="a processor",
        threads=1,
        versions={"torch": "2", "ultralytics": "8"},
        started="2026-01-01T00:00:00+00:00",
        run="train",
    )


def stand_in_train(
    data: Any, *, output: Path, seed: int, epochs: int, images_per_epoch: int | None = None, **_: Any
) -> TrainingRecord:
    """Write the files that `train` would write, without training."""
    images = len(load_dataset(data, split="train"))
    seen = None if images_per_epoch is None else images_per_epoch * epochs
    record = made_up_record(images, seed=seed, epochs=epochs, seen=seen)
    output.mkdir(parents=True)
    record.save(output)
    return record


def made_up_ledger(folder: Path, cells: list[dict[str, Any]], *, overlapped: bool = False) -> Ledger:
    """A ledger of records only, without a plan, a configuration or selections; a cell needs label, keep and seed.

    A cell's `lift` moves its mAP; its `changes` replace fields of its record.
    """
    ledger = Ledger.create(folder)
    for number, given in enumerate(cells):
        cell = {"method": given["label"].partition("(")[0], "control": None, "parameters": {}, **given}
        if cell["label"] in ("full", "full_equal_iterations"):
            cell["control"] = cell["label"]
        seed = cell.pop("seed")
        cell |= {"key": f"cell-{number:04}", "training_seed": seed, "selection_seed": seed}
        images = max(1, round(200 * cell["keep"]))
        record = made_up_record(images, seed=seed, lift=cell.pop("lift", 0.0))
        record = record.model_copy(update=cell.pop("changes", {}))
        with ledger.claim(cell["key"]) as work:
            assert work is not None
            (work / TRAIN_FOLDER).mkdir()
            record.save(work / TRAIN_FOLDER)
            choosing = {"selection": PhaseEnergy(seconds=1, wh=0.02, g_co2=0.01)}
            counts, ran = {"images": images, "of": 200}, {"overlapped": overlapped}
            ledger.finish(work, FinishedCell(cell["key"], cell, record, choosing, counts, ran))
    return ledger
