from __future__ import annotations

import pytest

from detreduce.cli.commands.train import train
from detreduce.cli.commands.tune import tune
from detreduce.cli.values import parse_class_floor, parse_keep, parse_parameters, training_arguments
from detreduce.errors import InputError


def test_keep_is_a_count_without_a_point() -> None:
    assert parse_keep("1") == 1 and isinstance(parse_keep("1"), int)
    assert parse_keep("1.0") == 1.0 and isinstance(parse_keep("1.0"), float)
    assert parse_keep("1e-1") == 0.1
    with pytest.raises(InputError, match="not a number"):
        parse_keep("a quarter")


def test_parameters_are_read_as_yaml() -> None:
    assert parse_parameters(["epochs=50", "lr0=0.01", "cos_lr=true", "name=a=b", "classes=[0, 1]"]) == {
        "epochs": 50,
        "lr0": 0.01,
        "cos_lr": True,
        "name": "a=b",
        "classes": [0, 1],
    }
    for bad in ("epochs", "=3", "a-b=3", "x=["):
        with pytest.raises(InputError):
            parse_parameters([bad])
    with pytest.raises(InputError, match=r"10% or 0\.1"):
        parse_parameters(["%"])


def test_options_are_no_training_arguments() -> None:
    assert training_arguments(None, tune) == {} and training_arguments(["epochs=5"], tune) == {"epochs": 5}
    for text, words in (
        ("budget_wh=3", "as --budget-wh 3"),
        ("drop_leaked=true", "as --drop-leaked."),
        ("data=x", "first argument"),
    ):
        with pytest.raises(InputError, match=words):
            training_arguments([text], tune)
    with pytest.raises(InputError, match="as --on test"):
        training_arguments(["evaluate_on=test"], train)


def test_floors_are_read_for_all_classes_or_by_name() -> None:
    assert parse_class_floor([]) is None
    assert parse_class_floor(["3"]) == 3
    assert parse_class_floor(["bus=2", "a=b=10"]) == {"bus": 2, "a=b": 10}
    for bad in (["x"], ["=3"], ["bus=-1"], ["3", "4"]):
        with pytest.raises(InputError):
            parse_class_floor(bad)


def test_a_percentage_is_a_fraction() -> None:
    assert parse_keep("25%") == 0.25 and parse_keep(" 2.5% ") == 0.025 and isinstance(parse_keep("100%"), float)
