"""The folder of one training: a view of the data that ultralytics may write to, and the YAMLs that point into it."""

from __future__ import annotations

import shutil
import warnings as python_warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from detreduce.dataset import DetectionDataset, load_dataset
from detreduce.dataset.write import write_yolo_view
from detreduce.errors import InputError

SPLITS = ("train", "val", "test")

EvaluateOn = Literal["auto", "test", "val", "val+test"]

VIEW_FOLDER = "data"


@dataclass(frozen=True)
class RunFolder:
    """A new run folder and what is in it.

    Attributes
    ----------
    path
        The folder; ultralytics' files land here.
    data_yaml
        The view: images linked, labels copied.
    datasets
        Train, val and test of the view, where the source has them, as detreduce reads them.
    evaluated
        The splits to evaluate on; may be empty.
    warnings
        What was said while the view was made.
    """

    path: Path
    data_yaml: Path
    datasets: dict[str, DetectionDataset]
    evaluated: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def evaluation_yaml(self) -> Path:
        """A data.yaml whose ``val`` is all the splits to evaluate on."""
        content = yaml.safe_load(self.data_yaml.read_text(encoding="utf-8"))
        entries: list[str] = []
        for split in self.evaluated:
            value = content.get(_key(content, split))
            entries += [str(item) for item in (value if isinstance(value, list) else [value])]
        content["path"] = str(_root(content, self.data_yaml))
        content["val"] = entries if len(entries) != 1 else entries[0]
        target = self.path / "evaluation.yaml"
        target.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return target


def make_run_folder(
    data: str | Path, output: str | Path | None, *, label: str, evaluate_on: EvaluateOn, choose: str
) -> RunFolder:
    """Make the run folder and the view of the data in it.

    Raises InputError where there is nothing to train on, where the splits asked for are missing, or where `output`
    holds something already; then nothing is left behind.
    """
    dataset = load_dataset(data, split="train")
    _check_trainable(dataset)
    evaluated = _choose_splits(evaluate_on, tuple(dataset.source.splits), str(data))
    if choose == "best" and "val" not in dataset.source.splits:
        raise InputError(f'{data}: choose="best" needs a val split to choose on, and there is none.')
    if choose == "best" and "val" in evaluated:
        heard = [
            'The weights were chosen on the val split, which the figures are from: they are too good (choose="best").'
        ]
    else:
        heard = []
    path = _new_folder(output, label)
    try:
        with python_warnings.catch_warnings(record=True) as caught:
            python_warnings.simplefilter("always")
            data_yaml = write_yolo_view(dataset, path / VIEW_FOLDER)
            detach_fragile(path / VIEW_FOLDER)
            # VOC has trainval besides, which the view leaves out
            splits = [split for split in SPLITS if split in dataset.source.splits]
            datasets = {split: load_dataset(data_yaml, split=split) for split in splits}
        heard += [str(item.message) for item in caught if issubclass(item.category, UserWarning)]
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return RunFolder(path, data_yaml, datasets, evaluated, tuple(heard))


def needs_copy(path: Path) -> bool:
    """Is this a JPEG without an end marker, whatever its name? Ultralytics rewrites such files where it finds them."""
    with path.open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            return False
        file.seek(-2, 2)
        return file.read() != b"\xff\xd9"


def detach_fragile(view: Path) -> int:
    """Replace links to images that ultralytics would rewrite by copies; return how many."""
    detached = 0
    for path in view.rglob("*"):
        if path.is_symlink() and path.is_file() and needs_copy(path):
            source = path.resolve()
            path.unlink()
            shutil.copyfile(source, path)
            detached += 1
    return detached


def _check_trainable(dataset: DetectionDataset) -> None:
    if not dataset.labelled:
        raise InputError(f"{dataset.source.path}: these images have no labels; there is nothing to train on.")
    if not len(dataset):
        raise InputError(f"{dataset.source.path}: the train split has no images.")
    if not any(len(record.class_ids) for record in dataset):
        raise InputError(f"{dataset.source.path}: none of the {len(dataset)} images of the train split has a box.")


def _choose_splits(asked: str, known: Sequence[str], where: str) -> tuple[str, ...]:
    if asked == "auto":
        return next(((split,) for split in ("test", "val") if split in known), ())
    splits = tuple(asked.split("+"))
    if asked not in ("test", "val", "val+test"):
        raise InputError(f"evaluate_on={asked!r}: give auto, test, val or val+test.")
    for split in splits:
        if split not in known:
            raise InputError(f"evaluate_on={asked!r}: {where} has no {split} split, only {', '.join(known)}.")
    return splits


def _new_folder(output: str | Path | None, label: str) -> Path:
    if output is not None:
        path = Path(output).expanduser().resolve()
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InputError(
                f"{path}: there is something already; a training is never overwritten, give another output=."
            )
        path.mkdir(parents=True, exist_ok=True)
        return path
    parent = Path("runs", "train").resolve()
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = parent / f"{label}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _key(content: dict[str, Any], split: str) -> str:
    """The data.yaml may say `valid` or `validation` for val."""
    for key in (split, *(("valid", "validation") if split == "val" else ())):
        if content.get(key):
            return key
    raise InputError(f"data.yaml names no images for the {split} split.")


def _root(content: dict[str, Any], data_yaml: Path) -> Path:
    return (data_yaml.parent / (content.get("path") or ".")).resolve()
