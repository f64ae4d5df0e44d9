"""Stratified random sampling (srs): keep a random sample of each image category, optionally stratified by class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput

STRATA = ("categories", "classes")


class _NeedsOf:
    """The attribute `needs` of srs. It is ``("objects",)`` if ``by="classes"``, and otherwise empty."""

    def __get__(self, reducer: Any, cls: type) -> tuple[str, ...]:
        return ("objects",) if reducer is not None and reducer.by == "classes" else ()


class StratifiedRandom(ScoringReducer):
    """Stratified random sampling: keep a random sample of each image category, without replacement.

    Features are not used. scores_ is a random number in [0, 1) for each image. With ``by="classes"``, scores_ is ``1 -
    p / n``. Here p is the position of the image in the random order, and n is the number of images.

    Parameters
    ----------
    by
        With ``"categories"``, every sample of an image category is equally likely. With ``"classes"``, the sample of an
        image category also has nearly the same proportions of classes as the whole category. For this, iterative
        stratification (Sechidis et al. 2011) divides the images at random into halves, again and again. ``"classes"``
        needs labels. If `categories` is None, the sample is stratified only by class.
    keep, random_state
        See BaseReducer. Another seed gives another subset.
    """

    name = "srs"
    family = "statistic"
    needs: ClassVar[Any] = _NeedsOf()
    cost = "n log n"
    source = (
        "stratified random sampling; a statistic method in arXiv 2403.15150; by classes cf. Sechidis et al. 2011 "
        "(doi 10.1007/978-3-642-23808-6_10)"
    )
    summary = "a random sample in which every category has its share: the baseline for other methods"
    keeps = "random"
    fails = "Near-duplicates stay as frequent as in the full set. One seed proves little: use several seeds."
    deterministic = False

    def __init__(self, *, keep: int | float = 0.25, by: str = "categories", random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.by = by

    def _check_params(self) -> None:
        if self.by not in STRATA:
            raise InputError(f"by={self.by!r} is not one of {', '.join(STRATA)}.{nearest(str(self.by), STRATA)}")

    def _prepare(self, problem: FitInput) -> list[list[int]] | None:
        """Return the list of classes of each image if ``by="classes"``, or else None."""
        if problem.objects is None:
            return None
        classes = problem.objects.classes.tolist()
        return [classes[start:end] for start, end in pairwise(problem.objects.starts.tolist())]

    def _score(self, pool: Pool) -> FloatArray:
        if pool.shared is None:
            return pool.rng("srs").random(len(pool))
        scores = np.empty(len(pool))
        with progress(f"srs {pool.label}", len(pool), "images") as advance:
            order = stratified_order([pool.shared[row] for row in pool.rows], pool.rng("srs by classes"), advance)
        scores[order] = 1.0 - np.arange(len(pool)) / len(pool)
        return scores


def stratified_order(
    labels: Sequence[Sequence[int]], rng: np.random.Generator, advance: Callable[[int], object] = lambda _: None
) -> IntArray:
    """Return a random order of images in which every prefix contains each class nearly in proportion.

    Iterative stratification (Sechidis et al. 2011) splits the images into two halves with the same proportions of
    classes, then splits each half again, and so on. The halves are then joined in a random order, so that no kind of
    image comes earlier than another on average. If all halves have equal size, every image is equally likely at every
    position.

    Parameters
    ----------
    labels
        The classes of each image. Images without boxes are treated as one further class.
    rng
        Random generator for the splits and for the order of the halves.
    advance
        A function that is called with the number of images whose position was just determined.
    """
    stack = [rng.permutation(len(labels)).tolist()]
    order: list[int] = []
    while stack:
        images = stack.pop()
        if len(images) == 1:
            order += images
            advance(1)
            continue
        one, other = halve(images, labels, rng)
        # the half that is pushed onto the stack last is processed first
        stack += [other, one] if rng.random() < 0.5 else [one, other]
    return np.array(order, np.int64)


def halve(images: list[int], labels: Sequence[Sequence[int]], rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Split shuffled images into two halves that have nearly equal numbers of each class.

    If the number of images is odd, the first half has one more image. The images of the rarest class are assigned
    first. Images without classes are assigned last. An image goes to the half that has fewer images of its classes. A
    class has more weight if few of its images are left. The sizes of the halves are also considered. A random choice
    breaks ties. A half that is full does not get more images.
    """
    members: dict[int, list[int]] = {}
    for image in images:
        for label in labels[image]:
            members.setdefault(label, []).append(image)
    remaining = {label: len(having) for label, having in members.items()}
    excess = dict.fromkeys(members, 0)
    halves: tuple[list[int], list[int]] = ([], [])
    full, open_images = (len(images) + 1) // 2, len(images)
    coin_flips = rng.random(len(images)) < 0.5
    placed: set[int] = set()
    classes = list(members)
    while open_images:
        rarest = min(classes, key=lambda label: (remaining[label], label)) if classes else -1
        for image in members.get(rarest, images):
            if image in placed:
                continue
            placed.add(image)
            uneven = (len(halves[0]) - len(halves[1])) / open_images
            for label in labels[image]:
                uneven += excess[label] / remaining[label]
            side = int(uneven > 0) if uneven else int(coin_flips[open_images - 1])
            if len(halves[side]) == full:
                side = 1 - side
            halves[side].append(image)
            open_images -= 1
            for label in labels[image]:
                excess[label] += 1 - 2 * side
                remaining[label] -= 1
        if classes:
            classes.remove(rarest)
    return (halves[0], halves[1]) if len(halves[0]) >= len(halves[1]) else (halves[1], halves[0])
