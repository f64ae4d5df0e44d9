"""The facts of a report's first screen, from ledgers whose trainings are made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up import made_up_ledger, made_up_record

from detreduce.cli.show.run import show_outcome
from detreduce.experiment.cell_lines import describe_outcome
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.results.conclude import conclude
from detreduce.experiment.results.outcome import Outcome, outcome_of
from detreduce.experiment.searches.leaks import SharedImages, leak_warning
from detreduce.experiment.statistics.comparison import NO_VERDICT
from detreduce.report.cards import cards_of, chip_of
from detreduce.report.charts import first_chart
from detreduce.report.first_screen import FirstScreen, first_screen
from detreduce.report.headline import headline

LEAKS = {"counts": {"train / val": {"exact": 1, "near": 2, "of": 9}, "train / test": {"exact": 0, "near": 0, "of": 4}}}


def finished(folder: Path, *cells: dict[str, Any], **options: Any) -> Outcome:
    given = [
        {"keep": 1.0 if one["label"] == "full" else 0.1, "seed": seed, **one} for one in cells for seed in range(3)
    ]
    return outcome_of(made_up_ledger(folder / "ledger", given, **options))


def shown(outcome: Outcome) -> FirstScreen:
    return first_screen(outcome, conclude(outcome), [], Path("ledger"))


def test_cards_say_what_is_kept_and_saved(tmp_path: Path) -> None:
    outcome = finished(tmp_path, {"label": "full"}, {"label": "srs"}, {"label": "mms", "lift": -0.02})
    screen = shown(outcome)
    accuracy, saving, data = screen.cards
    best = conclude(outcome).best
    full = next(item for item in outcome.summaries if item.method == "full")
    assert best is not None
    assert accuracy.value == f"{100 * best.mean['mAP50_95'] / full.mean['mAP50_95']:.0f} %"
    assert saving.value == "90 %" and any("90 % less" in line for line in saving.lines)
    assert data.value == "not known" and data.chips[0].kind == "unknown"
    assert "keep 10 % (20 images)" in screen.subject and screen.command == ""


def test_what_is_not_known_has_no_figure(tmp_path: Path) -> None:
    outcome = finished(tmp_path, {"label": "srs", "changes": {"flops": None, "energy": {}}})
    accuracy, saving, _ = shown(outcome).cards
    assert saving.value == "not known"
    assert accuracy.title == "mAP50-95" and "%" not in accuracy.value
    assert "(the control full)" in accuracy.lines[0]
    assert shown(outcome).chart is None


def test_a_mAP_of_0_on_all_images_gives_no_share(tmp_path: Path) -> None:
    zero = {"evaluation": made_up_record(9, seed=0).evaluation.model_copy(update={"mAP50": 0.0, "mAP50_95": 0.0})}
    outcome = finished(tmp_path, {"label": "full", "changes": zero}, {"label": "srs"})
    accuracy, saving, _ = shown(outcome).cards
    assert accuracy.value == "not known" and saving.value == "90 %"
    assert "mAP50-95 on all images is 0, so there is no share. Train longer." in accuracy.lines
    assert outcome.nothing_learnt == ""


def test_where_nothing_was_learnt_nothing_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zero = {"evaluation": made_up_record(9, seed=0).evaluation.model_copy(update={"mAP50": 0.0, "mAP50_95": 0.0})}
    cells = [{"label": label, "changes": zero} for label in ("full", "srs", "mms", "clc")]
    outcome = finished(tmp_path, *cells)
    screen = shown(outcome)
    assert [card.value for card in screen.cards[:2]] == ["not known", "not known"]
    assert screen.chart is None and "highest mean" not in screen.subject
    assert headline(outcome) == [outcome.nothing_learnt] == [conclude(outcome).sentence]
    assert outcome.nothing_learnt
    reduce, model = {"methods": ["srs"], "keep": [0.1]}, {"model": "yolov8n.yaml"}
    settings = ExperimentConfig.model_validate({"name": "x", "dataset": "d", "reduce": reduce, "train": model})
    show_outcome(settings, outcome)
    printed = " ".join(capsys.readouterr().out.split())
    assert "Warning: mAP50-95 is 0 in every training" in printed
    assert "Compared with random" not in printed
    show_outcome(settings, finished(tmp_path / "other", {"label": "srs"}, {"label": "mms"}))
    assert "Compared with random" in capsys.readouterr().out


def test_energy_of_overlapping_trainings_is_not_compared(tmp_path: Path) -> None:
    outcome = finished(tmp_path, {"label": "full"}, {"label": "srs"}, overlapped=True)
    assert any("not comparable" in line for line in shown(outcome).cards[1].lines)
    assert outcome.all_overlapped and not finished(tmp_path / "alone", {"label": "full"}).all_overlapped


@pytest.mark.parametrize("overlapped", [False, True])
def test_the_line_of_a_cell_says_that_its_costs_are_too_high(tmp_path: Path, overlapped: bool) -> None:
    cell = finished(tmp_path, {"label": "full"}, overlapped=overlapped).cells[0]
    assert ("too high" in describe_outcome(cell)) is overlapped


def test_leaks_and_duplicates_are_counted(tmp_path: Path) -> None:
    outcome = replace(
        finished(tmp_path, {"label": "srs"}),
        leakage=LEAKS,
        leaks=leak_warning(LEAKS, {}),
        near_duplicates={"redundant": 1, "images": 9},
    )
    (card,) = cards_of(outcome, None)
    assert card.value == "1 duplicate, 3 leaks" and card.chips[0].kind == "worse"
    assert any("3 of the 9 images of val are also in train" in line for line in card.lines)
    (card,) = cards_of(replace(outcome, leaks=None), None)
    assert card.value == "1 duplicate, 0 leaks" and card.chips[0].kind == "better"
    shared = [SharedImages("test", 0, 1, 72, "val")]
    (card,) = cards_of(replace(outcome, leaks=None, shared=shared, left_out=1), None)
    assert (card.chips[0].kind, card.chips[0].words) == ("open", "train: none (1 left out); val and test share 1")
    assert card.lines[-1].startswith("1 of the 72 images of test is also in val (1 similar)")
    assert "no leaks" not in str(card)


def test_chips_have_the_words_of_the_verdict() -> None:
    assert [chip_of(words).kind for words in ("better than random", "worse than all images")] == ["better", "worse"]
    assert chip_of("no difference shown (3 seeds; could detect 0.02)").kind == "open"
    assert chip_of(f"one seed: {NO_VERDICT}").kind == "unknown"


def test_the_chart_names_every_point_and_marks_the_subset(tmp_path: Path) -> None:
    outcome = finished(tmp_path, {"label": "full"}, {"label": "srs"}, {"label": "herding(match=mmd)", "lift": 0.1})
    chart = first_chart(outcome, conclude(outcome).best)
    assert chart is not None and "ring" in chart.about
    for picture in (chart.wide, chart.narrow):
        for name in (">all images<", ">herding 10 %<", ">srs 10 %<"):
            assert name in picture
