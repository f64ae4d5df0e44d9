"""Advice for a dataset, based on our results for data with similar near-duplicates and classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from detreduce.dataset.health.redundancy import Redundancy
from detreduce.display.numbers import counted
from detreduce.errors import InputError

RESULTS = "docs/results.md"
UNEVEN_CLUSTERS = 2.0
"""From this number of clusters per effective image on, near-duplicates count as unevenly spread. The demo has 8.1."""
UNEVEN_CLASSES = 3.6
"""From this ratio on, classes count as uneven: images of the most common class / images of the rarest class.

It is the geometric mean of the ratios of the two datasets with results: 1.7 for the blood cells and 7.5 for the
aquarium photographs.
"""


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """A result on one dataset: a sentence about the result, and the heading of its table on the page of results."""

    sentence: str
    heading: str

    @property
    def link(self) -> str:
        """The link to the table, for example ``docs/results.md#the-heading``."""
        return f"{RESULTS}#{self.heading}"


CLEAN_FIRST = EarlierResult(
    "Near-duplicates are spread unevenly over the images, as in the demo. There, keeping one image of "
    "each group was better than keeping all images, at the same number of steps.",
    "cleaning-the-demos-static-cameras",
)
UNEVEN = EarlierResult(
    "Counted in images, the classes are as uneven as on the aquarium photographs. There, 10 % of the images, chosen by "
    "herding, were better than 10 % chosen at random. No subset was shown to be better than all images at the same "
    "number of steps.",
    "tried-again-with-fresh-seeds-aquarium",
)
EVEN = EarlierResult(
    "Classes are about as even as on the blood cells. There, no method was shown to differ from random "
    "images, or from all images at the same number of steps.",
    "the-same-on-blood-cells-bccd",
)


@dataclass(frozen=True, slots=True)
class Advice:
    """The properties of a dataset that matter for training, and our results on similar data.

    Attributes
    ----------
    split
        The split to which the numbers refer.
    redundancy
        The clusters of near-duplicates. None if the images were not opened.
    class_ratio
        How uneven the classes are: the result of the function `class_ratio`. None if there are no labels.
    epochs
        The number of planned epochs. None if it was not given.
    one_class
        Whether only one class is used. In this case, classes cannot be uneven.
    """

    split: str
    redundancy: Redundancy | None
    class_ratio: float | None
    epochs: int | None = None
    one_class: bool = False

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise InputError(f"epochs={self.epochs} is not a number of epochs. Use 1 or more.")

    @property
    def passes(self) -> float | None:
        """The planned number of images seen in a training, divided by the number of effective images.

        None if one of the two numbers is not known.
        """
        return None if self.redundancy is None or self.epochs is None else self.redundancy.passes(self.epochs)

    @property
    def evidence(self) -> EarlierResult | None:
        """The result on the most similar data.

        None if there are no labels, or if no dataset with results is similar.
        """
        if self.class_ratio is None:
            return None
        if self.redundancy is not None and self.redundancy.unevenness >= UNEVEN_CLUSTERS:
            return CLEAN_FIRST
        if self.one_class:
            return None
        return UNEVEN if self.class_ratio >= UNEVEN_CLASSES else EVEN

    @property
    def sentences(self) -> tuple[str, ...]:
        """Sentences for the reader: first the numbers, then the evidence."""
        return tuple(self._sentences())

    def _sentences(self) -> Iterator[str]:
        found = self.redundancy
        if found is None:
            wanted = "the effective number of images" + ("" if self.epochs is None else " and the planned passes")
            yield f"There was no search for near-duplicates: --check-images gives {wanted}."
        else:
            yield (
                f"The {counted(found.images, 'image')} of {self.split} form "
                f"{counted(found.clusters, 'cluster')}: an image and its "
                f"near-duplicates. They count as {found.effective:,.1f} effective (different) images, with "
                f"{found.unevenness:.1f} clusters for each (1.0: all clusters are equally large)."
            )
        if self.passes is not None and found is not None and self.epochs is not None:
            yield (
                f"{self.epochs:,} epoch{'' if self.epochs == 1 else 's'} show "
                f"{counted(found.images * self.epochs, 'image')}: "
                f"{self.passes:,.1f} planned passes over the effective images."
            )
        if self.class_ratio is not None and self.class_ratio > 1:
            times = f"{self.class_ratio:,.{int(self.class_ratio < 10)}f}"
            yield f"For each image of the rarest class, {times} images have the most common class."
        if (evidence := self.evidence) is not None:
            yield f"{evidence.sentence} See {evidence.link}."

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers and the evidence as values that JSON can store. Unknown values are None."""
        evidence = self.evidence
        return {
            "redundancy": None if self.redundancy is None else self.redundancy.to_dict(),
            "class_ratio": None if self.class_ratio is None else round(self.class_ratio, 3),
            "epochs": self.epochs,
            "planned_passes": None if self.passes is None else round(self.passes, 3),
            "evidence": None if evidence is None else {"sentence": evidence.sentence, "link": evidence.link},
        }


def class_ratio(images: Mapping[str, int]) -> float | None:
    """Return how much more often the most common class occurs than the rarest class.

    This is a ratio of two numbers of images. For example, if the classes occur in 100, 50 and 10 images, the result is
    10. Classes that occur in no image are ignored. Return None if no class occurs in any image.
    """
    used = [count for count in images.values() if count]
    return max(used) / min(used) if used else None
