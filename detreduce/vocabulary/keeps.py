"""Compare and print values of `keep`: an int is a number of images, a float is a fraction of all images.

So `keep` = 1 (one image) is not the same as `keep` = 1.0 (all images).
"""

from __future__ import annotations

from detreduce.vocabulary.controls import FULL

Keep = float | int


def keep_key(keep: Keep) -> str:
    """Return a text key for a `keep`. The count 1 and the fraction 1.0 get different keys, although 1 == 1.0."""
    return f"float{float(keep)!r}" if isinstance(keep, float) else f"int{keep}"


def from_percent(text: str) -> float:
    """Return a percentage such as ``25%`` as a fraction. Raise ValueError if the text is not a percentage."""
    number, sign, rest = text.strip().partition("%")
    if not sign or rest:
        raise ValueError(f"{text!r} is not a percentage")
    return float(number) / 100


def how_to_write(keep: float) -> str:
    """Return advice for a `keep` above 1 with a decimal point: how to write the value that was probably meant."""
    whole, share = keep > 1 and float(keep).is_integer(), f"{keep / 100:.10g} for {keep:.10g} %"
    if whole:
        return f"Write {int(keep)} for {int(keep)} images{f', or {share}' if keep <= 100 else ''}."
    if 1 < keep <= 100:
        return f"Write {share}."
    return "Write 0.25 for a quarter of the images, or 25 for 25 images."


def keep_in_words(keep: Keep) -> str:
    """Return a `keep` as text: ``25 %`` for a fraction, ``500 images`` for a count."""
    if isinstance(keep, float):
        return f"{keep * 100:.4g} %"
    return f"{keep} image{'' if keep == 1 else 's'}"


def keep_of(label: str, keep: Keep) -> str:
    """Return the `keep` of a method or control as text for a table. The control `full` gets ``all``."""
    return "all" if label == FULL else keep_in_words(keep)
