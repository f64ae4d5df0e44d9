from __future__ import annotations

import math
import statistics

import pytest

from detreduce.experiment.statistics import summarise_cells
from detreduce.experiment.statistics.comparison import compare_methods
from detreduce.experiment.statistics.pairs import FULL


def row(label: str, seed: int, map50: float, wh: float, **extra: object) -> dict:
    return {
        "label": label,
        "control": "full" if label == "full" else None,
        "keep": 1.0 if label == "full" else 0.25,
        "images": 100 if label == "full" else 25,
        "training_seed": seed,
        "mAP50": map50,
        "mAP50_95": map50 / 2,
        "Wh": wh,
        "g_co2": wh / 5,
        "minutes": wh,
        **extra,
    }


def test_means_spread_and_paired_differences_by_hand() -> None:
    rows = [row("full", 0, 0.6, 10), row("full", 1, 0.5, 12), row("mms", 0, 0.55, 3), row("mms", 1, 0.47, 2.5)]
    full, mms = summarise_cells(rows)
    assert (full.method, full.is_control, full.cells, full.against_full) == ("full", True, 2, {})
    assert mms.mean["mAP50"] == pytest.approx(0.51)
    assert mms.spread["mAP50"] == pytest.approx(statistics.stdev([0.55, 0.47]))
    assert mms.against_full["mAP50"] == pytest.approx(((0.55 - 0.6) + (0.47 - 0.5)) / 2)
    assert mms.against_full["Wh"] == pytest.approx(2.75 / 11)


def test_where_seeds_do_not_match_it_is_what_the_report_says_was_lost() -> None:
    rows = [
        row("full", 0, 0.6, 1), row("full", 1, 0.4, 1), row("full", 2, 0.5, 1),
        row("mms", 0, 0.5, 1), row("mms", 1, 0.35, 1), row("mms", 7, 0.1, 1),
        *(row("srs", seed, value, 1, selection_seed=draw) for seed, draw, value in
          ((0, 0, 0.5), (0, 1, 0.4), (1, 0, 0.3), (2, 2, 0.2))),
    ]  # fmt: skip
    rows = [{"key": f"{place}", "method": one["label"], **one} for place, one in enumerate(rows)]
    lost = {
        (item.method, item.measure): item.difference
        for item in compare_methods(rows, full=True)
        if item.against == FULL
    }
    found = {item.method: item for item in summarise_cells(rows) if item.method != "full"}
    for method, measure in lost:
        assert found[method].against_full[measure] == pytest.approx(lost[method, measure])
    # seed 7 has no counterpart; selection 0 joins the training seeds 0 and 1 in one pair
    assert found["mms"].against_full["mAP50"] == pytest.approx((-0.1 - 0.05) / 2) and found["mms"].paired
    assert found["srs"].against_full["mAP50"] == pytest.approx(((0.4 - 0.5) + (0.2 - 0.5)) / 2)


def test_pairing_uses_the_seed_and_falls_back_on_the_mean() -> None:
    _, srs = summarise_cells([row("full", 0, 0.6, 1), row("full", 1, 0.4, 1), row("srs", 1, 0.35, 1)])
    assert srs.against_full["mAP50"] == pytest.approx(-0.05) and srs.paired
    _, srs = summarise_cells([row("full", 0, 0.6, 1), row("full", 1, 0.4, 1), row("srs", 7, 0.35, 1)])
    assert srs.against_full["mAP50"] == pytest.approx(-0.15) and not srs.paired


def test_one_cell_has_no_spread_and_unknown_energy_is_nan() -> None:
    only = summarise_cells([row("srs", 0, 0.3, 1) | {"Wh": None}])[0]
    assert math.isnan(only.spread["mAP50"])
    assert math.isnan(only.mean["Wh"])
    assert only.against_full == {}


def test_a_count_of_one_is_not_all_images() -> None:
    rows = [row("srs", 0, 0.3, 1) | {"keep": 1, "images": 1}, row("srs", 0, 0.5, 1) | {"keep": 1.0, "images": 100}]
    assert [summary.images for summary in summarise_cells(rows)] == [100, 1]


def test_energy_and_time_of_cells_that_overlapped_enter_no_mean() -> None:
    rows = [
        row("full", 0, 0.6, 10), row("full", 1, 0.5, 99, overlapped=True),
        row("mms", 0, 0.55, 3, overlapped=False), row("mms", 1, 0.47, 50, overlapped=True),
        row("srs", 0, 0.4, 50, overlapped=True),
    ]  # fmt: skip
    full, mms, srs = summarise_cells(rows)
    assert (full.overlapped, mms.overlapped, mms.cells) == (1, 1, 2)
    assert (mms.mean["Wh"], mms.mean["minutes"], mms.mean["mAP50"]) == (3, 3, pytest.approx(0.51))
    assert mms.against_full["Wh"] == pytest.approx(0.3)
    assert math.isnan(mms.spread["Wh"]) and math.isnan(srs.mean["Wh"]) and srs.mean["mAP50"] == 0.4
