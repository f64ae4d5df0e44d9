"""The text below the table of an experiment."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from detreduce.cli.show.differences import show_differences
from detreduce.experiment.results.result_table import result_table
from detreduce.experiment.statistics import MEASURES, Summary
from detreduce.experiment.statistics.comparison import NO_VERDICT, Comparison
from detreduce.experiment.statistics.ranks import MethodRanks

ROW = Comparison(
    method="mms(start=3)",
    keep=0.25,
    images=112,
    against="srs",
    measure="mAP50",
    seeds=3,
    difference=0.0367,
    low=-0.0123,
    high=0.0512,
    over="seeds and images",
    low_seeds=-0.01,
    high_seeds=0.05,
    low_images=0.01,
    high_images=0.05,
    methods=2,
    detectable=0.04,
    verdict="no difference shown (3 seeds; could detect 0.04)",
)
FINER = replace(ROW, measure="mAP50_95", difference=-0.2, low=-0.3, high=-0.1, verdict="worse than random")
MEAN = dict.fromkeys(MEASURES, 0.5)
RANKING = MethodRanks({"clc": 1.2, "srs": 2.0, "mms(start=3)": 2.8}, 6, 0, 0.01, 1.353)


def printed(*comparisons: Comparison, width: int = 200, ranking: MethodRanks | None = None) -> str:
    out = Console(width=width, record=True, markup=False, highlight=False)
    keeps = {(item.method, item.keep): item for item in comparisons}
    summaries = [Summary(item.method, item.keep, item.images, 3, False, MEAN, MEAN, {}) for item in keeps.values()]
    show_differences(out, result_table(summaries, comparisons), comparisons, ranking)
    return " ".join(out.export_text().split())


@pytest.mark.parametrize("width", [80, 200])
def test_differences_have_interval_and_verdict(width: int) -> None:
    text = printed(ROW, FINER, width=width, ranking=RANKING)
    assert "random (srs)" in text
    assert "+0.037 [-0.012, +0.051]" in text and "-0.200 [-0.300, -0.100]" in text
    assert "worse than random" in text and "…" not in text
    assert "over seeds and test images" in text
    assert "clc 1.2, srs 2.0, mms(start=3) 2.8." in text and "p = 0.010. Ranks closer" in text
    assert "closer than 1.4" in text
    assert "p, Holm" not in text, "no p where the seeds give none"


@pytest.mark.parametrize(("p", "said"), [(0.0004, "p < 0.001."), (float("nan"), None)])
def test_friedmans_p_is_shown_where_it_is_known(p: float, said: str | None) -> None:
    text = printed(ROW, FINER, ranking=replace(RANKING, p=p))
    assert "Average rank" in text and (said in text if said else "Friedman" not in text)


def test_p_is_shown_where_there_is_one() -> None:
    text = printed(replace(ROW, seeds=6, p=0.03125, p_holm=0.0625), FINER)
    assert "p, Holm" in text and "0.062" in text


def test_what_is_over_seeds_alone_is_marked_and_the_reason_told() -> None:
    old = replace(ROW, keep=0.5, over="seeds", note="2 of 6 cells have no stored results per test image")
    text = printed(ROW, old)
    assert "+0.051]*" in text and "seeds alone (*)" in text
    assert "2 of 6 cells have no stored results per test image: mms(start=3) 50 %" in text
    alone = printed(old)
    assert "over seeds alone" in alone and "+0.051]*" not in alone and "test image: each comparison" in alone


def test_only_words_that_are_shown_are_explained() -> None:
    verdicts = {f"one seed: {NO_VERDICT}": False, "no difference shown (3 seeds; could detect 0.04)": True}
    for verdict, explained in verdicts.items():
        assert ("80 % power" in printed(replace(ROW, verdict=verdict))) is explained


def test_equal_iterations_have_their_own_table_and_one_seed_no_interval() -> None:
    single = replace(ROW, against="full_equal_iterations", seeds=1, low=None, high=None, verdict="one seed")
    text = printed(single)
    assert "equal-steps control" in text
    assert "+0.037 " in text and "[" not in text


def test_without_random_subsets_it_says_so() -> None:
    assert "srs or random" in printed()


def test_random_subsets_alone_need_a_method() -> None:
    out = Console(width=200, record=True)
    alone = [Summary("srs", 0.25, 112, 3, False, MEAN, MEAN, {})]
    show_differences(out, result_table(alone, []), [], None)
    assert "srs or random" not in (text := out.export_text()) and "Add a method" in text


def test_random_subsets_at_another_keep_are_not_called_absent() -> None:
    out = Console(width=200, record=True)
    rows = [Summary(name, keep, 112, 3, False, MEAN, MEAN, {}) for name, keep in (("srs", 0.5), ("mms", 0.25))]
    show_differences(out, result_table(rows, []), [], None)
    assert "There are no random subsets" not in (text := out.export_text())
    assert "No method can be compared with random subsets (srs)" in text


def test_without_random_subsets_it_says_so_beside_the_equal_steps_control() -> None:
    assert "There are no random subsets" in printed(replace(ROW, against="full_equal_iterations"))


def test_a_narrow_terminal_has_its_verdicts_below_the_table() -> None:
    out = Console(width=60, record=True, markup=False, highlight=False)
    rows = [replace(ROW, method="herding(match=class_means)"), replace(ROW, verdict="worse than random")]
    summaries = [Summary(item.method, item.keep, item.images, 3, False, MEAN, MEAN, {}) for item in rows]
    show_differences(out, result_table(summaries, rows), rows, None)
    lines = out.export_text().splitlines()
    assert "  mms(start=3), 25 %: worse than random" in lines
    heading = next(line for line in lines if "method" in line)
    assert "verdict" not in heading and max(map(len, lines)) <= 60
    assert "verdict" in printed(*rows, width=120)


def test_a_cleaning_misses_no_random_subsets() -> None:
    def shown(*, cleaning: bool) -> str:
        out = Console(width=200, record=True, markup=False, highlight=False)
        equal = replace(ROW, method="srs", against="full_equal_iterations")
        summaries = [Summary("srs", 0.25, 112, 3, False, MEAN, MEAN, {})]
        show_differences(out, result_table(summaries, [equal]), [equal], None, cleaning=cleaning)
        return out.export_text()

    assert "Only random subsets were trained" in shown(cleaning=False)
    assert "Only random subsets" not in shown(cleaning=True)
