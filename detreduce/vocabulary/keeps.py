"""How a `keep` is compared and written: an int is a count, a float is a fraction, so 1 (one image) is not 1.0 (all)."""

from __future__ import annotations

from detreduce.vocabulary.controls import FULL

Keep = float | int


def keep_key(keep: Keep) -> str:
    """Return a key that differs between a count of 1 and a fraction of 1.0, which are equal numbers."""
    return f"float{float(keep)!r}" if isinstance(keep, float) else f"int{keep}"


def keep_in_words(keep: Keep) -> str:
    """Return ``25 %`` for a fraction, ``500 images`` for a count."""
    if isinstance(keep, float):
        return f"{keep * 100:.4g} %"
    return f"{keep} image{'' if keep == 1 else 's'}"


def keep_of(label: str, keep: Keep) -> str:
    """Return the keep of a method or control for a table: ``all`` for the control `full`."""
    return "all" if label == FULL else keep_in_words(keep)
