"""The findings of a health check that decodes the images: damage, duplicates, and leaks found by pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detreduce.dataset.health.checks import BY_FILES, SHARED
from detreduce.dataset.health.counts import check_images, load_all_splits
from detreduce.dataset.health.finding import Finding, worst_first
from detreduce.dataset.health.leaks import TRAIN
from detreduce.dataset.health.redundancy import Redundancy, measure_redundancy
from detreduce.dataset.health.shared_images import shared_advice
from detreduce.dataset.records import DetectionDataset, Problem
from detreduce.duplicates.clusters import cluster_labels
from detreduce.duplicates.leakage import LeakageReport, leakage_report
from detreduce.duplicates.result import Duplicates
from detreduce.duplicates.search import near_duplicates


@dataclass(frozen=True)
class ImageCheck:
    """What a check of the decoded images found: damage, duplicates and leaks.

    Attributes
    ----------
    split
        The split whose images were decoded and compared with each other.
    damaged
        Images of the split that are damaged, are tiny, or have another size than the annotations say.
    duplicates
        Exact duplicates and near-duplicates in the split.
    leakage
        Images that occur in several splits.
    redundancy
        How many different images the split contains.
    remedy
        What to do about images that are in both val and test, in sentences. Empty if there are no such images.
    """

    split: str
    damaged: tuple[Problem, ...]
    duplicates: Duplicates
    leakage: LeakageReport
    redundancy: Redundancy
    remedy: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as values that JSON can store.

        ``damaged`` is only the number of damaged images. The summary of the dataset lists these images as problems.
        """
        files = len({problem.file for problem in self.damaged})
        return {
            "damaged": files,
            "duplicates": self.duplicates.to_dict(),
            "leakage": self.leakage.to_dict(),
            "redundancy": self.redundancy.to_dict(),
        }

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One or more findings for each check: damage, duplicates and leaks."""
        return (_damage(self), *_copies(self), *_leaks(self.leakage, self.remedy))

    def with_files(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """Return the findings of this check and the given `findings`, with the worst first.

        The given findings come from the check of the files. Comparing pixels also finds every copy of a file, so given
        findings whose check is in `BY_FILES` are left out. There is one exception. If the finding ``leaks`` has the
        verdict ``wrong`` and does not count fewer images, it replaces the finding ``leaks by pixels``.
        """
        own = {one.check: one for one in self.findings}
        pixels = own["leaks by pixels"]
        for one in findings:
            if one.check == "leaks" and one.verdict == "wrong" and one.count >= pixels.count:
                # one fact, one line: the finding of the files also says if a whole split is shared
                own.pop(pixels.check, None)
        kept = [
            one for one in findings if one.check not in BY_FILES or (one.check == "leaks" and pixels.check not in own)
        ]
        return worst_first((*own.values(), *kept))


def check_pixels(dataset: DetectionDataset, cache: str | Path | None = None) -> ImageCheck:
    """Decode the images of a split, and look for damage, duplicates and leaks."""
    damaged = check_images(dataset)
    duplicates = near_duplicates(dataset, cache=cache)
    leakage = leakage_report(dataset, cache=cache)
    shared = [item for item in leakage.leaked if item.other_split != TRAIN]
    remedy = shared_advice(dataset.source.typed, load_all_splits(dataset)[0], shared) if shared else ""
    return ImageCheck(dataset.split, damaged, duplicates, leakage, _redundancy(dataset, duplicates), remedy)


def _redundancy(dataset: DetectionDataset, duplicates: Duplicates) -> Redundancy:
    row_of = dataset.row_of
    pairs = [(row_of[pair.copy], row_of[pair.kept]) for pair in duplicates.pairs]
    return measure_redundancy(np.bincount(cluster_labels(pairs, len(dataset))))


def _damage(found: ImageCheck) -> Finding:
    files = len({problem.file for problem in found.damaged})
    if not files:
        return Finding("images", "good", f"Every image of {found.split} can be decoded.")
    images = "1 image is damaged, or does" if files == 1 else f"{files:,} images are damaged, or do"
    what = f"{images} not match the annotations."
    return Finding("images", "wrong", what, files, "The problems below name these images. Repair or remove the images.")


def _copies(found: ImageCheck) -> Sequence[Finding]:
    exact = sum(pair.exact for pair in found.duplicates.pairs)
    near = len(found.duplicates.pairs) - exact
    advice = "reduce --drop-duplicates leaves duplicates out."
    images = found.duplicates.images
    have, be = "has" if exact == 1 else "have", "is" if near == 1 else "are"
    return (
        Finding(
            "exact duplicates",
            "look" if exact else "good",
            f"{exact:,} of {images:,} images of {found.split} {have} the same pixels as another image."
            if exact
            else f"No two images of {found.split} have the same pixels.",
            exact,
            advice if exact else "",
        ),
        Finding(
            "near-duplicates",
            "look" if near else "good",
            f"{near:,} of {images:,} images of {found.split} {be} nearly the same as another image."
            if near
            else f"No near-duplicates in {found.split}.",
            near,
            advice if near else "",
        ),
    )


def _leaks(found: LeakageReport, remedy: str) -> Iterator[Finding]:
    if len(found.splits) < 2:
        yield Finding("leaks by pixels", "good", "There is only one split, so no image is in two splits.")
        return
    in_train, shared = [], []
    count = twice = 0
    for (earlier, later), counts in found.counts.items():
        both = counts["exact"] + counts["near"]
        told = f"{both:,} of the {counts['of']:,} images of {later} ({counts['exact']:,} with the same pixels)"
        if both and earlier == TRAIN:
            count += both
            in_train.append(told)
        elif both:
            twice += both
            shared.append(f"{told} {'has' if both == 1 else 'have'} an equal or nearly equal image in {earlier}.")
    if count:
        what = f"Equal or nearly equal to an image of train: {'; '.join(in_train)}. The mAP is then too high."
        yield Finding("leaks by pixels", "wrong", what, count, "reduce --drop-leaked removes these images from train.")
    else:
        what = "No image of val or test is equal or nearly equal to an image of train."
        yield Finding("leaks by pixels", "good", what)
    if twice:
        yield Finding(SHARED, "look", " ".join(shared), twice, remedy)
