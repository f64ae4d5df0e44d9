"""Compare and print values of `keep`: an int is a number of images, and a float is a fraction of all images.

Therefore `keep` = 1 (one image) differs from `keep` = 1.0 (all images).
"""

from __future__ import annotations

from detreduce.vocabulary.controls import FULL

Keep = float | int


def keep_key(keep: Keep) -> str:
    """Return a `keep` as a string that can serve as a dict key.

    The count 1 and the fraction 1.0 get different keys, although 1 == 1.0 in Python.
    """
    return f"float{float(keep)!r}" if isinstance(keep, float) else f"int{keep}"


def from_percent(text: str) -> float:
    """Convert a percentage such as ``25%`` to a fraction. Raise ValueError if the text is not a percentage."""
    number, sign, rest = text.strip().partition("%")
    if not sign or rest:
        raise ValueError(f"{text!r} is not a percentage")
    return float(number) / 100


def how_to_write(keep: float) -> str:
    """Return advice for a user who passed a fraction above 1.

    For 25.0, the advice is ``Write 25 for 25 images, or 0.25 for 25 %.``
    """
    whole, share = keep > 1 and float(keep).is_integer(), f"{keep / 100:.10g} for {keep:.10g} %"
    if whole:
        return f"Write {int(keep)} for {int(keep)} image{'s' * (keep != 1)}{f', or {share}' if keep <= 100 else ''}."
    if 1 < keep <= 100:
        return f"Write {share}."
    return "Write 0.25 for a quarter of the images, or 25 for 25 images."


def keep_in_words(keep: Keep) -> str:
    """Return a `keep` as text for the user: ``25 %`` for the fraction 0.25, or ``500 images`` for the count 500."""
    if isinstance(keep, float):
        return f"{keep * 100:.4g} %"
    return f"{keep} image{'' if keep == 1 else 's'}"


def keep_of(label: str, keep: Keep) -> str:
    """Return the `keep` of a method or control as text for a table. For the control `full`, the text is ``all``."""
    return "all" if label == FULL else keep_in_words(keep)
