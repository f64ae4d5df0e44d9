"""A finding: one line of a health check, with a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["good", "look", "wrong"]
VERDICTS: tuple[Verdict, ...] = ("wrong", "look", "good")
"""The verdicts, from worst to best."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a health check.

    Attributes
    ----------
    check
        What was checked, in a word or two, for example ``leaks``.
    verdict
        ``good``, ``look`` or ``wrong``. ``look`` means that a person should decide whether this is intended. ``wrong``
        means that results will be wrong or that images are lost.
    what
        What was found, as a sentence.
    count
        The number of affected images, classes or files. 0 if there are none.
    advice
        What to do, as a sentence. Empty if there is nothing to do.
    """

    check: str
    verdict: Verdict
    what: str
    count: int = 0
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as values that JSON can store."""
        return asdict(self)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings by verdict, worst first. Findings with the same verdict keep their order."""
    return tuple(sorted(findings, key=lambda finding: VERDICTS.index(finding.verdict)))


def overall(findings: Iterable[Finding]) -> Verdict:
    """Return the worst verdict of the findings."""
    return min((finding.verdict for finding in findings), key=VERDICTS.index, default="good")


def in_words(findings: Iterable[Finding]) -> str:
    """Return how many findings have each verdict, for example ``2 wrong, 1 to look at, 5 good``."""
    verdicts = [finding.verdict for finding in findings]
    words = {"wrong": "wrong", "look": "to look at", "good": "good"}
    return ", ".join(f"{verdicts.count(one)} {words[one]}" for one in VERDICTS if one in verdicts)
