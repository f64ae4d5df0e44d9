"""The run folder of one training.

The folder contains a YOLO view of the dataset: links to the images, copies of the labels, and a data.yaml. Ultralytics
may write to the view. The dataset itself does not change.
"""

from __future__ import annotations

import contextlib
import shutil
import warnings as python_warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from detreduce.dataset import DetectionDataset, load_dataset, load_split
from detreduce.dataset.health.leaks import find_leaks, refuse_leaks
from detreduce.dataset.health.problem_counts import ProblemCounts, count_problems
from detreduce.dataset.records import read_image_size
from detreduce.dataset.suggested_command import inspect_command, reduce_command, split_command
from detreduce.dataset.write import write_yolo_view
from detreduce.display.listener import say
from detreduce.errors import InputError
from detreduce.machine.files import writing
from detreduce.machine.untrusted.documents import load_yaml
from detreduce.machine.untrusted.regular_files import YAMLS, read_text
from detreduce.training.run.crowds import with_crowds

SPLITS = ("train", "val", "test")

EvaluateOn = Literal["auto", "test", "val", "val+test"]

VIEW_FOLDER = "data"


@dataclass(frozen=True)
class EvaluationPlan:
    """The arguments of `train` that concern the evaluation.

    `evaluate_on` names the splits to evaluate on. `choose` says which weights are evaluated, ``last`` or ``best``. If
    `allow_leaks` is True, images of val or test may also be in train.
    """

    evaluate_on: str = "auto"
    choose: str = "last"
    allow_leaks: bool = False


@dataclass(frozen=True)
class RunFolder:
    """A new run folder, and what it contains.

    Attributes
    ----------
    path
        Path of the folder. Ultralytics writes its files here.
    data_yaml
        Path of the data.yaml of the YOLO view.
    source
        The train split of the original dataset.
    datasets
        Name of a split -> the split of the YOLO view: train, plus val and test if the original dataset has them.
    truths
        Name of a split -> its ground truth for the evaluation, including crowd regions, which YOLO labels cannot
        contain. Empty if there is no evaluation.
    warnings
        Warnings about the YOLO view and about the splits for the evaluation.
    problems
        Counts of the problems in the original dataset, and of the images of its train split that ultralytics leaves
        out.
    created
        Whether the folder was created for this run. If not, it was an existing empty folder.
    """

    path: Path
    data_yaml: Path
    source: DetectionDataset
    datasets: dict[str, DetectionDataset]
    truths: dict[str, DetectionDataset]
    warnings: tuple[str, ...]
    problems: ProblemCounts
    created: bool

    @property
    def evaluation_yaml(self) -> Path:
        """Write a data.yaml whose entry ``val`` lists all splits to evaluate on, and return its path."""
        content = load_yaml(read_text(self.data_yaml, YAMLS))
        entries: list[str] = []
        for split in self.truths:
            value = content.get(_key(content, split))
            entries += [str(item) for item in (value if isinstance(value, list) else [value])]
        content["path"] = str(_root(content, self.data_yaml))
        content["val"] = entries if len(entries) != 1 else entries[0]
        target = self.path / "evaluation.yaml"
        with writing(target):
            target.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return target

    def discard(self) -> None:
        """Delete the files of the run, so that the next attempt can use the folder. A folder that existed before is
        kept.
        """
        _discard(self.path, self.created)


def make_run_folder(
    data: str | Path | DetectionDataset,
    output: str | Path | None,
    *,
    label: str,
    images: str | Path | None = None,
    evaluation: EvaluationPlan | None = None,
) -> RunFolder:
    """Create the run folder and its view of the dataset. The folder of the dataset itself does not change.

    A split that has no readable images or no boxes is not used for the evaluation. Ultralytics may still need an entry
    for this split in the data.yaml. The entry then lists another split. If there is an error, all files of the run are
    deleted.

    Parameters
    ----------
    data
        The dataset, as in `load_dataset`, or its train split if it has already been loaded.
    output
        A new or empty folder. None means ``runs/train/<label>-<number>``.
    label
        The name of the folder if `output` is None.
    images
        The folder of the images, only for COCO, as in `load_dataset`.
    evaluation
        Which splits and which weights are evaluated. None means that there is no evaluation.

    Raises
    ------
    InputError
        The train split has no labels, images or boxes. A split is missing. The folder `output` is not empty. An image
        of val or test is also in train, although this is not allowed.
    DetreduceError
        The folder cannot be written.
    """
    dataset = data if isinstance(data, DetectionDataset) else load_dataset(data, split="train", images=images)
    name = dataset.source.typed if isinstance(data, DetectionDataset) else data
    _check_trainable(dataset)
    problems = count_problems(dataset)
    sources, unusable = find_other_splits(dataset)
    evaluated: tuple[str, ...] = ()
    warnings: list[str] = []
    if evaluation is not None:
        evaluated = _choose_splits(evaluation.evaluate_on, unusable, str(name))
        if evaluation.choose == "best" and unusable["val"]:
            raise InputError(f'{name}: choose="best" needs a val split with boxes, but {unusable["val"]}.')
        lost = unusable["test"] if "test" in dataset.source.splits else ""
        warnings = _evaluation_warnings(evaluated, unusable, evaluation.choose, lost)
        if not evaluated:
            warnings.append(f"Hold out a part of train: `{split_command(dataset)}`")
            # before the training, which may take hours
            say(f"Without evaluation: {unusable['val']}, and {unusable['test']}. {warnings[-1]}")
        warnings += _leak_warnings(dataset, sources, allowed=evaluation.allow_leaks)
    path, created = _new_folder(output, label)
    try:
        with python_warnings.catch_warnings(record=True) as caught:
            python_warnings.simplefilter("always")
            data_yaml = write_yolo_view(dataset, path / VIEW_FOLDER)
            originals = _find_link_targets(path / VIEW_FOLDER)
            # VOC also has a split trainval, which is not part of the view
            datasets = {split: load_dataset(data_yaml, split=split) for split in ("train", *sources)}
            truths = {split: with_crowds(datasets[split], split, dataset, sources, originals) for split in evaluated}
        warnings += [str(item.message) for item in caught if issubclass(item.category, UserWarning)]
    except BaseException:
        _discard(path, created)
        raise
    return RunFolder(path, data_yaml, dataset, datasets, truths, tuple(warnings), problems, created)


def find_other_splits(dataset: DetectionDataset) -> tuple[dict[str, DetectionDataset], dict[str, str]]:
    """Load the val and test splits. Return the usable splits by name, and the reasons why a split cannot be evaluated.

    The second dict has an entry for val and for test. A reason is an empty string if the split can be used for the
    evaluation.
    """
    sources: dict[str, DetectionDataset] = {}
    unusable: dict[str, str] = {}
    for split in ("val", "test"):
        if split not in dataset.source.splits:
            unusable[split] = f"there is no {split} split"
            continue
        try:
            loaded = load_split(dataset.source, split)
        except InputError as error:
            unusable[split] = f"the {split} split cannot be read ({str(error).rstrip('.')})"
            continue
        if not any(_is_readable(record.path) for record in loaded):
            unusable[split] = f"no image of the {split} split can be read"
            continue
        sources[split] = loaded
        with_boxes = any(len(record.class_ids) for record in loaded)
        unusable[split] = "" if with_boxes else f"none of the images of the {split} split has a box"
    return sources, unusable


def _is_readable(path: Path) -> bool:
    try:
        read_image_size(path)
    except OSError:
        return False
    return True


def _evaluation_warnings(evaluated: tuple[str, ...], unusable: dict[str, str], choose: str, lost: str) -> list[str]:
    """Return warnings if there is no evaluation, if its mAP is too high, or if it uses val instead of test.

    `lost` says why the test split of the dataset cannot be used. It is empty if the dataset has no test split.
    """
    if not evaluated:
        return [f"Nothing was evaluated, because {unusable['val']}, and {unusable['test']}."]
    if choose == "best" and "val" in evaluated:
        return ['The metrics are too high, because choose="best" chose the weights on the same split (val).']
    # without this warning, evaluate_on="auto" would silently replace a test split that cannot be used by val
    return (
        [f"The model was evaluated on val instead of test, because {lost}."] if lost and evaluated == ("val",) else []
    )


def _leak_warnings(dataset: DetectionDataset, others: dict[str, DetectionDataset], *, allowed: bool) -> list[str]:
    """Return warnings about images of val and test that are also in train. No image is opened.

    If such images are not `allowed`, raise InputError instead.
    """
    leaks = find_leaks({dataset.split: dataset, **others})
    if not allowed:
        refuse_leaks(dataset, leaks)
        if others:
            command = inspect_command(dataset, "--check-images")
            say(f"Leaks: files were compared, but pixels were not. To search for similar images: `{command}`")
    return [f"The metrics are too high: {sentence}." for sentence in leaks.sentences(leaks.in_train)]


def _find_link_targets(view: Path) -> dict[str, Path]:
    """Return a dict from the path of each symbolic link in a folder to its target."""
    return {str(path): path.resolve() for path in view.rglob("*") if path.is_symlink()}


def _check_trainable(dataset: DetectionDataset) -> None:
    """Raise InputError if the train split has no labels, no images or no boxes."""
    if not dataset.labelled:
        command = reduce_command(dataset, "--keep", "0.25", suffix="to-label")
        raise InputError(
            f"{dataset.source.typed}: the images do not have labels, so a detector cannot be trained. Label images "
            f"first. To choose them: `{command}`"
        )
    if not len(dataset):
        raise InputError(f"{dataset.source.typed}: the train split does not have images.")
    if not any(len(record.class_ids) for record in dataset):
        raise InputError(f"{dataset.source.typed}: none of the images of the train split ({len(dataset):,}) has a box.")
    if not any(record.trainable for record in dataset):
        raise InputError(
            f"{dataset.source.typed}: ultralytics would leave out all {len(dataset)} images of the train split because "
            f"of their label files. List the problems: {inspect_command(dataset)}"
        )


def _choose_splits(asked: str, unusable: dict[str, str], where: str) -> tuple[str, ...]:
    """Return the splits to evaluate on. Raise InputError if a requested split cannot be used."""
    if asked == "auto":
        return next(((split,) for split in ("test", "val") if not unusable[split]), ())
    if asked not in ("test", "val", "val+test"):
        raise InputError(f"evaluate_on={asked!r} is not known. Use auto, test, val or val+test.")
    splits = tuple(asked.split("+"))
    for split in splits:
        if unusable[split]:
            raise InputError(f"evaluate_on={asked!r} cannot be used with {where}, because {unusable[split]}.")
    return splits


def _new_folder(output: str | Path | None, label: str) -> tuple[Path, bool]:
    """Return the path of a new or empty folder, and whether this function created it."""
    if output is not None:
        path = Path(output).expanduser().resolve()
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InputError(
                f"{path} exists and is not an empty folder. A training is never overwritten. Use another output=."
            )
        created = not path.exists()
        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
        return path, created
    parent = Path("runs", "train").resolve()
    number = 1
    with writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            path = parent / f"{label}-{number}"
            try:
                path.mkdir()
            except FileExistsError:
                number += 1
            else:
                return path, True


def _discard(path: Path, created: bool) -> None:
    if created:
        shutil.rmtree(path, ignore_errors=True)
        return
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                entry.unlink()


def _key(content: dict[str, Any], split: str) -> str:
    """Return the key of a split in a data.yaml. For val, the key may also be `valid` or `validation`."""
    for key in (split, *(("valid", "validation") if split == "val" else ())):
        if content.get(key):
            return key
    raise InputError(f"The data.yaml does not have images for the {split} split.")


def _root(content: dict[str, Any], data_yaml: Path) -> Path:
    """Return the folder to which the paths in a data.yaml are relative."""
    return (data_yaml.parent / (content.get("path") or ".")).resolve()
