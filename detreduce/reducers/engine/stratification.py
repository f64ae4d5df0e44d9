"""A random order in which every prefix holds each class in proportion."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from detreduce.reducers.engine.pool import IntArray


def stratified_order(
    labels: Sequence[Sequence[int]], rng: np.random.Generator, advance: Callable[[int], object] = lambda _: None
) -> IntArray:
    """Return a random order of images, every prefix of which holds nearly its share of every class.

    The images are halved by iterative stratification (Sechidis et al. 2011), the halves again, and so on: the order is
    that of the halves. Which half comes first is drawn, so no kind of image comes earlier than another on average;
    where all halves are of equal size, each image is as likely as any other at each place.

    Parameters
    ----------
    labels
        The classes of each image; an image without any is stratified as a class of its own.
    rng
        Draws the halves, and the order in which images are dealt out.
    advance
        Called with the number of images whose place is settled.
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
        # the last in is the first out
        stack += [other, one] if rng.random() < 0.5 else [one, other]
    return np.array(order, np.int64)


def halve(images: list[int], labels: Sequence[Sequence[int]], rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Split shuffled images into halves of equal size, or with one more in the first, that share out every class.

    The class with the fewest images left is dealt out first, and images without any last. An image goes to the half
    that has fewer of its classes, where a class counts for more the fewer images of it are left to make up for it; so
    does the size of the halves. Ties go by lot; a half that is full takes no more.
    """
    members: dict[int, list[int]] = {}
    for image in images:
        for label in labels[image]:
            members.setdefault(label, []).append(image)
    left = {label: len(mine) for label, mine in members.items()}
    excess = dict.fromkeys(members, 0)
    halves: tuple[list[int], list[int]] = ([], [])
    full, open_images = (len(images) + 1) // 2, len(images)
    lots = rng.random(len(images)) < 0.5
    placed: set[int] = set()
    classes = list(members)
    while open_images:
        rarest = min(classes, key=lambda label: (left[label], label)) if classes else -1
        for image in members.get(rarest, images):
            if image in placed:
                continue
            placed.add(image)
            uneven = (len(halves[0]) - len(halves[1])) / open_images
            for label in labels[image]:
                uneven += excess[label] / left[label]
            side = int(uneven > 0) if uneven else int(lots[open_images - 1])
            if len(halves[side]) == full:
                side = 1 - side
            halves[side].append(image)
            open_images -= 1
            for label in labels[image]:
                excess[label] += 1 - 2 * side
                left[label] -= 1
        if classes:
            classes.remove(rarest)
    return (halves[0], halves[1]) if len(halves[0]) >= len(halves[1]) else (halves[1], halves[0])
