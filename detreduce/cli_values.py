"""Values of the command line that are more than a number or a word."""

from __future__ import annotations

from detreduce.errors import InputError


def wanted_duplicates(by: str, threshold: float | None) -> float | str | bool:
    """The `drop_duplicates` of `select` that ``--duplicates-by`` and ``--duplicates-from`` ask for."""
    if by == "pixels":
        return True if threshold is None else threshold
    if threshold is not None:
        raise InputError(f"--duplicates-from is for --duplicates-by pixels; leave it out for {by}.")
    return by


def parse_class_floor(texts: list[str]) -> int | dict[str, int] | None:
    """``["3"]`` is a floor for every class, ``["bus=10", "car=5"]`` one for each class named."""
    if not texts:
        return None
    if len(texts) == 1 and texts[0].strip().isdigit():
        return int(texts[0])
    found = {}
    for text in texts:
        name, _, count = text.rpartition("=")
        if not name.strip() or not count.strip().isdigit():
            raise InputError(f"--class-floor {text!r}: give a number of images (3), or a class and a number (bus=10).")
        found[name.strip()] = int(count)
    return found
