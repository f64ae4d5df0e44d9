"""A finding: one line of a health check, with its verdict in one word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["good", "look", "wrong"]
VERDICTS: tuple[Verdict, ...] = ("wrong", "look", "good")
"""The verdicts, worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a health check.

    Attributes
    ----------
    check
        What was checked, as one short word such as ``leaks``.
    verdict
        ``good``, ``look`` or ``wrong``. ``look``: a person should decide whether this is on purpose. ``wrong``: results
        will be wrong, or images are lost.
    what
        What was found, as a sentence.
    count
        Number of affected images, classes or files. 0 if there are none.
    advice
        What to do, as a sentence. Empty if there is nothing to do.
    """

    check: str
    verdict: Verdict
    what: str
    count: int = 0
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON-able values."""
        return asdict(self)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings sorted by verdict, the worst first. Findings with equal verdicts keep their order."""
    return tuple(sorted(findings, key=lambda finding: VERDICTS.index(finding.verdict)))


def overall(findings: Iterable[Finding]) -> Verdict:
    """Return the worst verdict."""
    return min((finding.verdict for finding in findings), key=VERDICTS.index, default="good")


def in_words(findings: Iterable[Finding]) -> str:
    """Return the number of checks with each verdict as text, such as ``2 wrong, 1 to look at, 5 good``."""
    verdicts = [finding.verdict for finding in findings]
    words = {"wrong": "wrong", "look": "to look at", "good": "good"}
    return ", ".join(f"{verdicts.count(one)} {words[one]}" for one in VERDICTS if one in verdicts)
