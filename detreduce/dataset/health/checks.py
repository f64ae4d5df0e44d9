"""The checks of a dataset that do not open images: files, splits, leaks, classes, boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from detreduce.dataset.health.counts import DatasetSummary
from detreduce.dataset.health.finding import Finding, worst_first
from detreduce.dataset.health.leaks import TRAIN, Leaks
from detreduce.dataset.health.repeated_names import RENAME, find_repeated_names
from detreduce.dataset.health.shared_images import shared_advice
from detreduce.dataset.records import DetectionDataset
from detreduce.display.numbers import counted, percent
from detreduce.errors import name_first

MEASURING = ("val", "test")
FEW_IMAGES = 30
"""Val and test count as small if they have fewer images.

Their mAP then depends strongly on which images they contain.
"""
UNEVEN = 20.0
"""From this ratio on, classes count as imbalanced: boxes of the most common class / boxes of the rarest class."""
FEW_OF_CLASS = 20
"""A class that occurs in fewer images of train than this is hard to learn."""
TINY_SHARE = 0.1
"""From this share of tiny boxes on, the verdict is ``look``."""
MUCH_BACKGROUND = 0.5
NAMED = 5
SHARED = "shared by val and test"
BY_FILES = frozenset({"leaks", SHARED, "equal names"})
"""The names of the checks that compare files. If pixels are compared too, checks by pixels replace these checks."""


def check_health(summary: DatasetSummary, splits: Mapping[str, DetectionDataset], leaks: Leaks) -> tuple[Finding, ...]:
    """Return one or more findings for each check, worst first. No image is opened.

    `summary` describes one split, `splits` contains all splits that could be loaded, and `leaks` lists the images that
    occur in several splits.
    """
    return worst_first(
        [
            _splits(summary, splits),
            *_leaks(leaks, summary.path, splits),
            *((*_classes(splits), *_names(splits)) if summary.labelled else ()),
            *_boxes(summary),
            _files(summary),
            *_outside(summary),
        ]
    )


def _splits(summary: DatasetSummary, splits: Mapping[str, DetectionDataset]) -> Finding:
    sizes = ", ".join(f"{name} {count:,}" for name, count in summary.splits.items())
    empty = [name for name, count in summary.splits.items() if not count]
    lost = [name for name in summary.splits if name not in splits]
    measured = [name for name in MEASURING if summary.splits.get(name)]
    if lost and not empty:
        return Finding("splits", "wrong", f"Cannot be loaded: {', '.join(lost)}.", len(lost), "See the problems below.")
    if empty:
        advice = "Check the path of the split in the dataset's file."
        return Finding("splits", "wrong", f"Without images: {', '.join(empty)}. Splits: {sizes}.", len(empty), advice)
    if not summary.labelled:
        return Finding("splits", "good", f"Splits: {sizes}.", sum(summary.splits.values()))
    if not measured:
        advice = "So no training can be evaluated. detreduce split holds out a part of train."
        return Finding("splits", "look", f"There is no val and no test split. Splits: {sizes}.", 0, advice)
    small = [name for name in measured if summary.splits[name] < FEW_IMAGES]
    if small:
        what = f"Few images in {', '.join(small)}. Splits: {sizes}."
        advice = f"With fewer than {FEW_IMAGES} images, the mAP depends strongly on the choice of these images."
        return Finding("splits", "look", what, sum(summary.splits[name] for name in small), advice)
    return Finding("splits", "good", f"Splits: {sizes}.", sum(summary.splits.values()))


def _leaks(leaks: Leaks, data: Path, splits: Mapping[str, DetectionDataset]) -> Iterator[Finding]:
    """Yield findings about images that occur in two splits."""
    if len(leaks.splits) < 2:
        return
    if found := leaks.in_train:
        told = "; ".join(leaks.sentences(found))
        advice = "detreduce split holds out a part of train instead."
        if not splits[TRAIN].labelled:
            advice = "Without labels, val and test are not needed: remove them from the dataset's YAML."
        advice = advice if leaks.train_is_measured else "reduce --drop-leaked removes these images from train."
        yield Finding("leaks", "wrong", f"{_sentence(told)} The mAP is then too high.", len(found), advice)
    else:
        what = "No file of val or test is also in train. Pixels were not compared: use --check-images."
        yield Finding("leaks", "good", what)
    if others := leaks.not_in_train:
        advice = shared_advice(data, splits, others)
        yield Finding(SHARED, "look", _sentence("; ".join(leaks.sentences(others))), len(others), advice)
    if leaks.alike:
        what = f"{_images(len(leaks.alike))} have the same name and size as images of other splits, but other bytes."
        yield Finding(
            "equal names", "look", what, len(leaks.alike), "Check whether they show the same scene (--check-images)."
        )


def _names(splits: Mapping[str, DetectionDataset]) -> Iterator[Finding]:
    """Yield a finding about class names that several classes share.

    This is only about names for which at most one class has boxes. If several classes with the same name have boxes,
    the name is listed as a problem instead.
    """
    found = [one.text for one in find_repeated_names(splits.values()) if not one.mixes_boxes]
    if found:
        what = f"{_sentence(name_first(found))} The results do not change."
        yield Finding("class names", "look", what, len(found), RENAME)


def _classes(splits: Mapping[str, DetectionDataset]) -> Iterator[Finding]:
    """Yield the findings about classes that a split lacks, and about rare classes."""
    counts = {name: images_by_class(split) for name, split in splits.items()}
    train = counts.get(TRAIN)
    if train is None:
        return
    measured = [name for name in MEASURING if name in counts and len(splits[name])]
    unseen = {name: [one for one, images in counts[name].items() if images and not train.get(one)] for name in measured}
    missing = {
        name: [one for one, images in train.items() if images and not counts[name].get(one)] for name in measured
    }
    unused = [one for one, images in train.items() if not any(found.get(one) for found in counts.values())]
    never = sorted({one for names in unseen.values() for one in names})
    if never:
        advice = "A detector cannot find a class that it has not seen. Add images of this class to train."
        yield Finding("classes", "wrong", f"In val or test, but not in train: {_named(never)}.", len(never), advice)
    elif absent := {name: names for name, names in missing.items() if names}:
        told = "; ".join(f"{name} lacks {_named(names)}" for name, names in absent.items())
        count = len({one for names in absent.values() for one in names})
        yield Finding(
            "classes", "look", _sentence(told), count, "A class that is missing in a split is not measured there."
        )
    else:
        yield Finding("classes", "good", f"Every split has {_all_classes(len(train) - len(unused))}.")
    if unused:
        what = f"Classes without a box in any split: {_named(unused)}."
        yield Finding("unused classes", "look", what, len(unused), "Check the class names, or leave them as they are.")
    used = {one: images for one, images in train.items() if images}
    if len(used) > 1:
        yield _imbalance(splits[TRAIN], used)


def _imbalance(train: DetectionDataset, images: Mapping[str, int]) -> Finding:
    """Return the finding about how unevenly the boxes of train are distributed over the classes."""
    boxes = boxes_by_class(train)
    ordered = sorted(images, key=lambda name: (-boxes[name], name))
    most, least = ordered[0], ordered[-1]
    ratio = boxes[most] / boxes[least]
    rare = [name for name in reversed(ordered) if images[name] < FEW_OF_CLASS]
    what = f"{most} has {counted(boxes[most], 'box', 'boxes')}, {least} has {boxes[least]:,}: {_ratio(ratio)} to 1."
    if ratio < UNEVEN and not rare:
        return Finding("imbalance", "good", f"{what} Boxes count as uneven from {UNEVEN:.0f} to 1 on.")
    few = f" In fewer than {FEW_OF_CLASS} images of train: {_named(rare)}." if rare else ""
    advice = "When you keep a subset, --class-floor keeps rare classes."
    return Finding("imbalance", "look", what + few, len(rare), advice)


def _boxes(summary: DatasetSummary) -> Iterator[Finding]:
    """Yield the findings about the sizes of boxes and about images without boxes."""
    if not summary.labelled or not summary.images:
        return
    share = summary.background / summary.images
    have, part = "has" if summary.background == 1 else "have", percent(summary.background, summary.images)
    what = f"{summary.background:,} of {summary.images:,} images of {summary.split} {have} no boxes ({part})."
    if not summary.background:
        what = f"Every image of {summary.split} has boxes."
    if share > MUCH_BACKGROUND:
        advice = "Check that their label files are in the place where detreduce looks for them."
        yield Finding("background", "look", what, summary.background, advice)
    else:
        yield Finding("background", "good", what, summary.background)
    if summary.side_quantiles:
        low, middle, high = (summary.side_quantiles[part] for part in (0.05, 0.5, 0.95))
        what = f"90 % of the boxes are {low:.1%} to {high:.1%} of the image's side, with a median of {middle:.1%}."
        tiny = summary.tiny
        if tiny > TINY_SHARE * summary.boxes:
            advice = (
                f"{counted(tiny, 'box is', 'boxes are')} below 8 pixels at imgsz=640. Train at a larger "
                "imgsz, or cut images into tiles."
            )
            yield Finding("box sizes", "look", what, tiny, advice)
        else:
            yield Finding("box sizes", "good", what)


def _files(summary: DatasetSummary) -> Finding:
    """Return the finding about problems in the files."""
    count = len(summary.problems)
    if summary.refused:
        what = f"Ultralytics will leave out {summary.refused:,} of the {summary.images:,} images of {summary.split}."
        return Finding("files", "wrong", what, summary.refused, "Correct the label files in the list of problems.")
    if count:
        what = f"{count:,} problem{'' if count == 1 else 's'} in the files, listed below."
        return Finding(
            "files",
            "look",
            what,
            count,
            "The rest of the dataset is used. Read the list, and correct the files if needed.",
        )
    where = "label and annotation files" if summary.labelled else "files"
    return Finding("files", "good", f"No problem in the {where}.")


def _outside(summary: DatasetSummary) -> Iterator[Finding]:
    if summary.outside:
        yield Finding("outside", "look", summary.outside)


def images_by_class(split: DetectionDataset, counted: np.ndarray | None = None) -> dict[str, int]:
    """Map the name of each class to the number of images in a split that contain this class.

    `counted` (n,) bool marks the images to count. By default, all images are counted.
    """
    single = _counted_boxes(split, counted)
    pairs = np.unique(split.box_rows[single] * max(len(split.class_names), 1) + split.box_classes[single])
    return _by_name(split, pairs % max(len(split.class_names), 1))


def boxes_by_class(split: DetectionDataset, counted: np.ndarray | None = None) -> dict[str, int]:
    """Map the name of each class to its number of boxes in a split, without crowd regions.

    `counted` (n,) bool marks the images to count. By default, all images are counted.
    """
    return _by_name(split, split.box_classes[_counted_boxes(split, counted)])


def _counted_boxes(split: DetectionDataset, counted: np.ndarray | None) -> np.ndarray:
    """Return (B,) bool: the boxes of the counted images, without crowd regions."""
    single = ~split.box_crowd
    return single if counted is None else single & counted[split.box_rows]


def _by_name(split: DetectionDataset, classes: np.ndarray) -> dict[str, int]:
    """Map the name of each class to the number of times that the class occurs in `classes`.

    If several classes have the same name, their numbers are added up.
    """
    counts = dict.fromkeys(split.class_names, 0)
    for name, count in zip(split.class_names, np.bincount(classes, minlength=len(split.class_names)), strict=True):
        counts[name] += int(count)
    return counts


def _ratio(value: float) -> str:
    """Format a ratio, with a decimal only if it is below 10."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _all_classes(count: int) -> str:
    return "the only used class" if count == 1 else f"all {count} used classes"


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
