"""Average ranks of methods, with Friedman's test and Nemenyi's critical difference (Demsar 2006).

Methods are ranked within blocks. A block is one dataset, one keep and one training seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from detreduce.vocabulary.controls import ON_ALL_IMAGES, is_recipe
from detreduce.vocabulary.keeps import keep_key


@dataclass(frozen=True, slots=True)
class MethodRanks:
    """The average ranks of methods.

    In each block, rank 1 is the method with the largest value. Methods with equal values share their mean rank.

    Attributes
    ----------
    average
        The average rank of each method. The best method comes first.
    blocks
        Number of blocks that contain every method. Only these blocks are ranked.
    left_out
        Number of blocks that do not contain every method. These blocks are not ranked.
    p
        The p-value of Friedman's chi-square test that all methods are equal. NaN if there are only two methods, or if
        all methods tie in every block. The blocks of one dataset are not independent, so `p` is too small.
    critical_difference
        Two average ranks that differ by less than this are not shown to differ at the 5 % level (Nemenyi).
    """

    average: Mapping[str, float]
    blocks: int
    left_out: int
    p: float
    critical_difference: float

    @property
    def compares_several(self) -> bool:
        """Whether there are more than two methods and more than one block. Otherwise the ranks say little."""
        return len(self.average) > 2 and self.blocks > 1

    def in_words(self) -> str:
        """Return sentences on Friedman's test, the critical difference and the blocks that are left out."""
        sentences = []
        if not math.isnan(self.p):
            p = "< 0.001" if self.p < 0.001 else f"= {self.p:.3f}"
            sentences.append(f"Friedman's test that all methods are equal: p {p}.")
        sentences.append(
            f"Ranks closer than {self.critical_difference:.1f} are not shown to differ (Nemenyi, 5 %). Blocks of one "
            "dataset are not independent, so these tests find differences too easily."
        )
        if self.left_out:
            lack = "1 block lacks" if self.left_out == 1 else f"{self.left_out} blocks lack"
            sentences.append(f"{lack} a method and {'is' if self.left_out == 1 else 'are'} left out.")
        return " ".join(sentences)


def rank_methods(
    rows: Iterable[Mapping[str, Any]], measure: str = "mAP50_95", level: float = 0.95
) -> MethodRanks | None:
    """Rank the methods within each block, which is one dataset, one keep and one training seed.

    If a method has several rows in a block, their mean is used. Recipes and controls that train on all images are left
    out. Return None if there are fewer than two methods, or if no block contains every method.
    """
    blocks: dict[tuple[Any, ...], dict[str, list[float]]] = {}
    for row in rows:
        if row["control"] in ON_ALL_IMAGES or is_recipe(row) or row.get(measure) is None:
            continue
        block = (row.get("dataset"), keep_key(row["keep"]), row["training_seed"])
        blocks.setdefault(block, {}).setdefault(row["label"], []).append(float(row[measure]))
    methods = sorted({label for block in blocks.values() for label in block})
    complete = [block for block in blocks.values() if len(block) == len(methods)]
    if len(methods) < 2 or not complete:
        return None
    table = np.array([[np.mean(block[label]) for label in methods] for block in complete])
    ranks = stats.rankdata(-table, axis=1)
    average = ranks.mean(axis=0)
    order = np.argsort(average, kind="stable")
    varied = len(methods) > 2 and (ranks != ranks[:, :1]).any()
    return MethodRanks(
        average={methods[place]: float(average[place]) for place in order},
        blocks=len(complete),
        left_out=len(blocks) - len(complete),
        p=float(stats.friedmanchisquare(*table.T).pvalue) if varied else math.nan,
        critical_difference=nemenyi(len(methods), len(complete), level),
    )


def nemenyi(methods: int, blocks: int, level: float = 0.95) -> float:
    """Return Nemenyi's critical difference between average ranks, for this number of methods and blocks."""
    q = stats.studentized_range.ppf(level, methods, math.inf) / math.sqrt(2)
    return float(q * math.sqrt(methods * (methods + 1) / (6 * blocks)))
