"""Stratified random sampling (srs): a random draw within categories, or with every class in proportion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.reducers.base import FitInput, ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool

STRATA = ("categories", "classes")


class _NeedsOf:
    """`needs` of srs: nothing for the class, objects for an instance with ``by="classes"``."""

    def __get__(self, reducer: Any, cls: type) -> tuple[str, ...]:
        return ("objects",) if reducer is not None and reducer.by == "classes" else ()


class StratifiedRandom(ScoringReducer):
    """Stratified random sampling: images of each category, uniformly, without replacement.

    X is not read. scores_ is a uniform draw in [0, 1) for each image. With ``by="classes"`` it is 1 minus the place of
    the image divided by the number of images.

    Parameters
    ----------
    by
        ``"categories"``: within a category, every set of images is equally likely. ``"classes"``: within a category, a
        random order in which every prefix has each class in proportion, up to a few images, by repeated halving with
        iterative stratification (Sechidis et al. 2011). It needs `objects`. With categories=None only classes are
        stratified.
    keep, random_state
        See BaseReducer; another seed draws another subset.
    """

    name = "srs"
    family = "statistic"
    needs: ClassVar[Any] = _NeedsOf()
    cost = "n log n"
    source = (
        "stratified random sampling; arXiv 2403.15150, family statistic; by classes cf. Sechidis et al. 2011 "
        "(doi 10.1007/978-3-642-23808-6_10)"
    )
    summary = "a draw with every category in proportion, the control to beat"
    keeps = "random"
    fails = "Near-duplicates stay as frequent as they are. One draw proves little: use several seeds."
    deterministic = False

    def __init__(self, *, keep: int | float = 0.25, by: str = "categories", random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.by = by

    def _check_params(self) -> None:
        if self.by not in STRATA:
            raise InputError(f"by={self.by!r} is not one of {', '.join(STRATA)}.{nearest(str(self.by), STRATA)}")

    def _prepare(self, problem: FitInput) -> list[list[int]] | None:
        """Return the classes of each image for ``by="classes"``, else None."""
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
    """Return a random order of images in which every prefix has each class nearly in proportion.

    Images are halved by iterative stratification (Sechidis et al. 2011), the halves again, and so on. The order is that
    of the halves. A draw decides which half comes first, so on average no kind of image comes earlier than another. If
    all halves have equal size, every image is equally likely at every place.

    Parameters
    ----------
    labels
        The classes of each image. Images without any are stratified as if they had a class of their own.
    rng
        Draws the halves and the order in which images are dealt out.
    advance
        Called with the number of images that have got their place.
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
        # the last one in is the first one out
        stack += [other, one] if rng.random() < 0.5 else [one, other]
    return np.array(order, np.int64)


def halve(images: list[int], labels: Sequence[Sequence[int]], rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Split shuffled images into halves that share out every class; with an odd count the first has one more.

    The class with the fewest images left is dealt out first, images without classes last. An image goes to the half
    that has fewer of its classes. A class weighs more if few images are left to make up for it. The sizes of the halves
    weigh too. A draw breaks ties, and a full half takes no more.
    """
    members: dict[int, list[int]] = {}
    for image in images:
        for label in labels[image]:
            members.setdefault(label, []).append(image)
    remaining = {label: len(having) for label, having in members.items()}
    excess = dict.fromkeys(members, 0)
    halves: tuple[list[int], list[int]] = ([], [])
    full, open_images = (len(images) + 1) // 2, len(images)
    lots = rng.random(len(images)) < 0.5
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
            side = int(uneven > 0) if uneven else int(lots[open_images - 1])
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
