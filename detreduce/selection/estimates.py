"""The quality of the estimated scores of a selection, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def estimates_in_words(provenance: Mapping[str, Any]) -> str:
    """Return a sentence on the scores that the method estimated. Empty if the method did not estimate scores.

    `provenance` is the provenance of a `Selection`. Its ``method_facts`` come from the method `extrapolate`.
    """
    facts = provenance.get("method_facts") or {}
    if not isinstance(facts, Mapping) or not facts.get("held_back"):
        return ""
    rho = facts.get("rank_correlation")
    scored = f"{facts['held_back']:,} of {facts['scored']:,} scored images"
    if rho is None:
        return f"The estimated scores could not be tested: the scores or the estimates of {scored} are all equal."
    return (
        f"The estimated scores of {scored}, left out for this test, have a rank correlation of {rho:.2f} with the true "
        "scores (Spearman; 1 is the same order, 0 is chance)."
    )
