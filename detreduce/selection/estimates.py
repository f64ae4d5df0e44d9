"""Describe in words how good the estimated scores of a selection are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def estimates_in_words(provenance: Mapping[str, Any]) -> str:
    """Return sentences on how well estimated scores agree with true scores.

    Return an empty string if the method does not estimate scores. `provenance` is the provenance of a `Selection`. The
    method `extrapolate` records the facts under ``method_facts``.
    """
    facts = provenance.get("method_facts") or {}
    if not isinstance(facts, Mapping) or not facts.get("held_back"):
        return ""
    rho = facts.get("rank_correlation")
    scored = f"{facts['held_back']:,} of {facts['scored']:,} scored images"
    if rho is None:
        return f"The estimates could not be tested on {scored}, because all scores or all estimates are equal."
    return (
        f"To test the estimates, the scores of {scored} were estimated too. The rank correlation of estimates and true "
        f"scores is {rho:.2f} (Spearman; 1 is the same order, 0 is chance)."
    )
