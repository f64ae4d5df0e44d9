"""Compare every method with random subsets and with the equal-steps control: compute differences and verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from detreduce.display.numbers import counted
from detreduce.experiment.statistics.claims import Claim, claims_of
from detreduce.experiment.statistics.intervals import LEVEL, PairedDifference
from detreduce.experiment.statistics.pairs import (
    Group,
    Row,
    paired_differences,
    sides_against_full,
    sides_of,
)
from detreduce.experiment.statistics.resampled import Load, ResampledFigures
from detreduce.experiment.statistics.same_images import SAME_IMAGES, share_images
from detreduce.experiment.statistics.significance import holm, sign_flip_p
from detreduce.vocabulary.controls import DATA_CLAIM, is_recipe, words_of
from detreduce.vocabulary.keeps import keep_key
from detreduce.vocabulary.measures import ACCURACIES

FIGURES = tuple(ACCURACIES)
RESAMPLES = 1000
TOO_FEW = "too few to"
"""Part of a verdict that says that there were too few seeds to show any difference in mAP."""
NO_VERDICT = "no verdict is possible"
"""Part of a verdict that says that the seeds do not allow any verdict."""
LOSS = "loss"
"""The claim of a comparison with ``full``: how much mAP a cheaper training loses."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of one method at one keep with one reference, in one measure.

    All differences are the method minus the reference.

    Attributes
    ----------
    method, keep, images
        The label of the method, its keep, and the number of images that it trained on.
    against
        The label of the reference: random subsets (for example ``srs``), ``full_equal_iterations`` or ``full``.
    measure
        The column of the rows that is compared: ``mAP50`` or ``mAP50_95``.
    seeds
        Number of independent groups of cells. Cells with the same training seed are in one group. Training seeds that
        share a random selection are also in one group.
    difference
        Mean of the differences in all groups. If one side of a group has several cells, their mean is used.
    low, high
        Ends of the unadjusted 95 % interval of the difference. None if there are too few seeds for an interval.
    over
        What the interval covers: ``seeds and images`` or ``seeds``. For ``seeds``, `note` gives the reason.
    low_seeds, high_seeds
        Ends of the interval that covers only the variation over seeds.
    low_images, high_images
        Ends of the interval that covers only the variation over test images.
    p
        Exact two-sided p-value of the sign-flip test. None if there are fewer than 6 groups.
    p_holm
        `p` after Holm's adjustment for all methods that are compared with the same reference in the same measure. Each
        keep is adjusted separately. Comparisons with the best uniform recipe are adjusted for all recipes of equal
        TFLOPs.
    methods
        Number of methods for which `p_holm` and the verdict are adjusted.
    detectable
        The smallest true difference that these seeds detect with 80 % power. The 5 % error level is divided by
        `methods`.
    verdict
        The result in words. It depends on the interval after Holm's adjustment for the number of `methods`.
    note
        A limitation of the comparison, such as seeds without a counterpart. Empty if there is none.
    spread
        Standard deviation (n - 1) of the differences of the groups. None if there is only one group.
    claim
        What the comparison claims. ``data``: all settings are equal, and only the images differ. ``recipe``: the TFLOPs
        are equal, and the settings may differ. Empty for ``full`` and for recipes that do not cost the same.
    own_mean, reference_mean
        The mean of the method and of the reference, over the same groups as `difference`.
    common_seeds
        Number of training seeds that both sides have, if some cells of a side have no counterpart. Then `difference`
        is not the difference between the means of all cells. 0 if all cells are used.
    """

    method: str
    keep: float | int
    images: int
    against: str
    measure: str
    seeds: int
    difference: float
    low: float | None
    high: float | None
    over: str
    low_seeds: float | None
    high_seeds: float | None
    low_images: float | None
    high_images: float | None
    p: float | None = None
    p_holm: float | None = None
    methods: int = 1
    detectable: float | None = None
    verdict: str = ""
    note: str = ""
    spread: float | None = None
    claim: str = ""
    own_mean: float | None = None
    reference_mean: float | None = None
    common_seeds: int = 0

    @property
    def common(self) -> str:
        """Words such as ``over the 1 common seed``. Empty if the difference uses all cells of both sides."""
        return f"over the {counted(self.common_seeds, 'common seed')}" if self.common_seeds else ""

    def row(self) -> dict[str, Any]:
        """Return the comparison as a flat dict."""
        return asdict(self)


def compare_methods(
    rows: Iterable[Row],
    evidence: Load | None = None,
    *,
    full: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Comparison]:
    """Compare every method with random subsets and with the equal-steps control, separately for each keep.

    Parameters
    ----------
    rows
        Tidy rows of finished cells, as `finished_rows` returns them: key, method, label, control, keep, images,
        selection_seed, training_seed and the measures.
    evidence
        A function such as `Ledger.evidence`. It takes the key of a cell and returns its evidence, the results for each
        test image. If it is None, the intervals only cover the variation over seeds.
    full
        Whether to compare all other methods and controls with ``full`` too, to show how much mAP they lose. These
        comparisons come last.
    resamples, seed
        Number of resamples of the test images, and the seed for drawing them. All cells use the same resamples.

    Returns
    -------
    comparisons
        Comparisons with random subsets first, then with the equal-steps control. Within each reference they are sorted
        by keep (largest first), then method, then measure. The list is empty if the rows have no reference.
        The differences come from the rows. The evidence only shows how much the differences vary with the test images.
    """
    rows = list(rows)
    claims = [*(_by_keep(side, DATA_CLAIM) for side in sides_of(rows)), *claims_of(rows)]
    claims += [_by_keep(side, LOSS) for side in sides_against_full(rows)] if full else []
    return compare_claims(claims, evidence, resamples=resamples, seed=seed)


def compare_claims(
    claims: Sequence[Claim], evidence: Load | None = None, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Comparison]:
    """Compare the two sides of every claim in every measure. The other parameters are the same as in
    `compare_methods`.
    """
    keys = (row["key"] for claim in claims for row in [*claim.ours, *claim.theirs])
    resampled = ResampledFigures(evidence, keys, resamples, seed)
    compared: list[_Compared] = []
    families: dict[tuple[Any, ...], list[int]] = {}
    for claim in claims:
        for measure in FIGURES:
            groups, differences = paired_differences(claim.ours, claim.theirs, measure)
            if groups:
                first = claim.ours[0]
                kind = first["control"], is_recipe(first), claim.claim
                families.setdefault((claim.against, claim.budget, measure, *kind), []).append(len(compared))
                compared.append(_compared(claim, measure, groups, differences, resampled))
    judged = [item.comparison for item in compared]
    for places in families.values():
        for place, comparison in zip(places, _judged([compared[place] for place in places]), strict=True):
            judged[place] = comparison
    return judged


def _by_keep(side: tuple[Sequence[Row], Sequence[Row], str], claim: str) -> Claim:
    """Return the claim for a comparison without recipes. The budget is the keep."""
    return Claim(*side, claim, "", keep_key(side[0][0]["keep"]))


@dataclass(frozen=True)
class _Compared:
    """A comparison without its verdict, and its paired differences. `sides` has one key for each side."""

    comparison: Comparison
    pair: PairedDifference
    sides: frozenset[str]


def _compared(
    claim: Claim,
    measure: str,
    groups: Sequence[Group],
    differences: Sequence[float],
    resampled: ResampledFigures,
) -> _Compared:
    """Compare one method with one reference."""
    drawn, missing = resampled.differences(groups, FIGURES.index(measure))
    pair = PairedDifference(np.array(differences, np.float64), drawn)
    both, seeds, images = pair.interval(), pair.over_seeds(), pair.over_images()
    ours, verdict = claim.ours, claim.verdict
    if not verdict and not is_recipe(ours[0]) and share_images(groups):
        verdict = SAME_IMAGES
    trained = {row["training_seed"] for row in ours}
    paired = {row["training_seed"] for own, _ in groups for row in own}
    unpaired = len(trained) - len(paired)
    used = sum(len(own) + len(other) for own, other in groups)
    partial = used < len(claim.ours) + len(claim.theirs)
    notes = [
        claim.note,
        missing,
        f"{unpaired} of {len(trained)} training seeds have no counterpart" if unpaired else "",
        f"{len(paired)} training seeds share selections and count as {len(groups)}"
        if len(paired) > len(groups)
        else "",
    ]
    comparison = Comparison(
        method=ours[0]["label"],
        keep=ours[0]["keep"],
        images=ours[0]["images"],
        against=claim.against,
        measure=measure,
        seeds=len(groups),
        difference=pair.mean,
        low=both.low if both else None,
        high=both.high if both else None,
        over="seeds" if drawn is None else "seeds and images",
        low_seeds=seeds.low if seeds else None,
        high_seeds=seeds.high if seeds else None,
        low_images=images.low if images else None,
        high_images=images.high if images else None,
        p=sign_flip_p(pair.differences),
        note="; ".join(note for note in notes if note),
        spread=None if len(groups) < 2 else pair.spread,
        verdict=verdict,
        claim="" if claim.claim == LOSS else claim.claim,
        own_mean=_mean_of([own for own, _ in groups], measure),
        reference_mean=_mean_of([other for _, other in groups], measure),
        common_seeds=len(paired) if partial else 0,
    )
    return _Compared(comparison, pair, frozenset((ours[0]["key"], claim.theirs[0]["key"])))


def _mean_of(sides: Sequence[Sequence[Row]], measure: str) -> float:
    """Return the mean of a measure over groups: the mean of the cells of each group, and then of the groups."""
    return float(np.mean([np.mean([float(row[measure]) for row in rows]) for rows in sides]))


def _judged(family: Sequence[_Compared]) -> list[Comparison]:
    """Return the comparisons with verdicts that are adjusted by Holm's method for the number of methods.

    `family` contains all comparisons with the same budget, reference and measure. If recipe A is the control of B, and
    B is the control of A, the two comparisons count as one hypothesis.
    """
    first = list({item.sides: item for item in reversed(family)}.values())
    doubts = holm([item.pair.doubt() if item.comparison.low is not None else None for item in first])
    adjusted = holm([item.comparison.p for item in first])
    tried = sum(doubt is not None for doubt in doubts)
    found_of = {item.sides: found for item, *found in zip(first, doubts, adjusted, strict=True)}
    judged = []
    for item in family:
        doubt, p_holm = found_of[item.sides]
        detectable = item.pair.detectable((1 - LEVEL) / max(1, tried))
        found = replace(item.comparison, p_holm=p_holm, methods=tried, detectable=detectable)
        judged.append(replace(found, verdict=_verdict(found, doubt)))
    return judged


def _verdict(found: Comparison, doubt: float | None) -> str:
    """Return the verdict on a comparison in words. `doubt` is `PairedDifference.doubt` after Holm's adjustment."""
    if found.verdict:
        return found.verdict
    if found.seeds == 1:
        return f"one seed: {NO_VERDICT}"
    if doubt is None or found.detectable is None or found.low is None or found.high is None:
        return f"no spread between {found.seeds} seeds: {NO_VERDICT}"
    if doubt < 1 - LEVEL:
        return f"{'better' if found.difference > 0 else 'worse'} than {words_of(found.against)}"
    # the printed interval is not adjusted, so it may exclude zero although no difference is shown
    adjusted = f" after adjusting for {found.methods} methods" * (not found.low <= 0 <= found.high)
    if found.detectable >= 1 and found.seeds < 3:
        return f"{found.seeds} seeds are {TOO_FEW} be sure of the difference"
    limit = f"could detect {_rounded_up(found.detectable)}" if found.detectable < 1 else f"{TOO_FEW} detect anything"
    return f"no difference shown{adjusted} ({found.seeds} seeds; {limit})"


def _rounded_up(value: float) -> str:
    """Return a value as text, rounded up to two decimals, or to three decimals if it is at most 0.01."""
    digits = 2 if value > 0.01 else 3
    return f"{math.ceil(value * 10**digits) / 10**digits:.{digits}f}"
