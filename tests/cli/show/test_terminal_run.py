"""The last lines of `run` about near-duplicates among the training images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detreduce.cli.show.run import _other_country, near_duplicates_line, show_conclusion, show_plan
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.overview import MethodCells, Overview
from detreduce.experiment.results.conclusion import Conclusion


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"images": 12, "redundant": 3}, "3 of 12 images repeat another image."),
        ({"images": 12, "redundant": 0}, "none among 12 images."),
        ({}, "no search."),
        ({"skipped": "there are more than 8 images"}, "no search, because there are more than 8 images."),
    ],
)
def test_near_duplicates_are_reported_always(found: dict[str, Any], said: str) -> None:
    assert near_duplicates_line(found) == f"Near-duplicates in train: {said}"


def test_a_control_at_one_image_is_not_shown_as_all(capsys: pytest.CaptureFixture[str]) -> None:
    shares = tuple(
        MethodCells(label, keep, True, 1, 0, 1, None, None) for label, keep in (("random", 1), ("full", 1.0))
    )
    show_plan(Overview("x", "runs/x", None, shares, 0, 2, 0, 2, None, None), stderr=False)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert "all" not in next(row for row in rows if "random" in row)
    assert "all" in next(row for row in rows if "full" in row)


def test_the_names_in_the_plan_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    def shown(*labels: str) -> str:
        shares = tuple(MethodCells(label, 0.5, False, 1, 0, 1, None, None) for label in labels)
        show_plan(Overview("x", "runs/x", None, shares, 0, 1, 0, 1, None, None), stderr=False)
        return " ".join(capsys.readouterr().out.split())

    plain, full = shown("mms"), shown("srs(drop_duplicates)", "full_equal_iterations")
    assert "A cell is one training." in plain
    for words in ("stratified random", "drop_duplicates: near-duplicates", "(full_equal_iterations): all images"):
        assert words in full and words not in plain


def test_a_country_that_nobody_chose_can_be_changed() -> None:
    def hint(**energy: str) -> str:
        content = {"name": "x", "dataset": "d", "reduce": {"methods": ["srs"], "keep": [1]}, "train": {"model": "m"}}
        return _other_country(ExperimentConfig.model_validate(content | ({"energy": energy} if energy else {})))

    assert "energy: {country: DEU}" in hint() and hint(country="ESP") == ""


def test_the_conclusion_is_one_sentence_and_the_command_that_shows_more(capsys: pytest.CaptureFixture[str]) -> None:
    found = Conclusion("unknown", "One seed.", "", next="Run 3 seeds.", overrides=("a=[0,1]",))
    show_conclusion(found, Path.cwd() / "runs" / "x")
    assert capsys.readouterr().out.splitlines() == [
        "",
        "Conclusion: One seed.",
        "To know more: Run 3 seeds.",
        "  detreduce run runs/x/config.yaml 'a=[0,1]' --output runs/x",
    ]
