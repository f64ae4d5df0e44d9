"""The quality of the estimated scores of a selection, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def estimates_in_words(provenance: Mapping[str, Any]) -> str:
    """Return a sentence on how close the estimated scores are to true scores; "" if the method estimates no scores.

    `provenance` is the provenance of a `Selection`. Its ``method_facts`` come from the method `extrapolate`.
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
