"""The question that `recommend` answers: which recipe reaches a target, or which is the best within a budget."""

from __future__ import annotations

from dataclasses import dataclass, replace

from detreduce.errors import InputError
from detreduce.experiment.advice.costs import MINUTES, TFLOPS, WH, Costs

BUDGETS = {"budget_wh": WH, "budget_tflops": TFLOPS, "minutes": MINUTES}
"""Argument of `ask` that contains a budget -> the cost that it limits."""


@dataclass(frozen=True)
class Question:
    """The question that `recommend` answers.

    Attributes
    ----------
    target
        The mAP to reach, as a fraction of the mAP of a training on all images. If no such training is finished, it is a
        fraction of the highest mAP of the finished trainings. None if `target_map` or a budget is given instead.
    cost
        The cost that the budget limits, or by which recipes are sorted.
    budget
        The largest acceptable cost. Infinite if the question has a target.
    measure
        ``mAP50`` or ``mAP50_95``.
    confidence
        The smallest acceptable probability of reaching the target.
    target_map
        The mAP to reach, from 0 to 1. None if `target` or a budget is given instead.
    """

    target: float | None
    cost: str
    budget: float
    measure: str
    confidence: float
    target_map: float | None = None

    @property
    def has_target(self) -> bool:
        """Whether the question asks for a target mAP, and not for the best recipe within a budget."""
        return self.target is not None or self.target_map is not None


def ask(measure: str = "mAP50_95", confidence: float = 0.5, **goals: float | None) -> Question:
    """Create a question. Raise InputError if a value is wrong, or if there is not exactly one goal.

    Parameters
    ----------
    measure
        ``mAP50_95`` or ``mAP50``.
    confidence
        The smallest acceptable probability that the recipe reaches the target, between 0 and 1.
    goals
        Exactly one of the following. A goal that is None is ignored.

        - ``target``: the mAP to reach, as a fraction of the mAP of a training on all images (control ``full``). If no
          such training is finished, it is a fraction of the highest mAP of the finished trainings. Above 0, at most 2.
        - ``target_map``: the mAP to reach, between 0 and 1.
        - ``budget_wh``, ``budget_tflops`` or ``minutes``: the largest acceptable energy in Wh, operations in TFLOPs, or
          time in minutes. It is the cost of choosing the images and of one training. Operations are counted only for
          the training.
    """
    if unknown := goals.keys() - {"target", "target_map", *BUDGETS}:
        raise TypeError(f"ask() has no argument {min(unknown)!r}.")
    given = {name: value for name, value in goals.items() if value is not None}
    if len(given) != 1:
        raise InputError(
            "Pass either a target (a fraction of the full mAP, for example 0.95, or an mAP as target_map) or one "
            "budget: in Wh, TFLOPs or minutes."
        )
    (name, value), *_ = given.items()
    if name == "target" and not 0 < value <= 2:
        raise InputError(f"target={value} is not above 0 and at most 2: use a fraction of full mAP, such as 0.95.")
    if name == "target_map" and not 0 < value < 1:
        raise InputError(f"target_map={value} is not between 0 and 1: use a mAP such as 0.4.")
    if name in BUDGETS and not value > 0:
        raise InputError(f"{name}={value} is not above 0: use a number of {BUDGETS[name]}, for example 50.")
    if measure not in ("mAP50", "mAP50_95"):
        raise InputError(f"measure={measure!r} is not known: use mAP50 or mAP50_95.")
    if not 0 < confidence < 1:
        raise InputError(f"confidence={confidence} is not between 0 and 1: use for example 0.5.")
    budget = value if name in BUDGETS else float("inf")
    return Question(given.get("target"), BUDGETS.get(name, WH), budget, measure, confidence, given.get("target_map"))


def with_known_cost(question: Question, costs: Costs) -> tuple[Question, str]:
    """Return the question with a cost that is known for finished cells, and a note if the cost had to be changed.

    If the question has a target, recipes are sorted by energy. If no energy is known, they are sorted by operations. If
    operations are not known either, they are sorted by time. Raise InputError if no cost is known, or if the question
    has a budget whose cost is not known.
    """
    known = [cost for cost in (WH, TFLOPS, MINUTES) if (costs.operations if cost == TFLOPS else costs.lines[cost])]
    if question.cost in known:
        return question, ""
    if question.has_target and known:
        return replace(question, cost=known[0]), f"No finished cell has a known energy. {known[0]} decide instead."
    if question.cost == WH:
        raise InputError(
            "No finished cell has a known energy, but a recipe needs it. Run cells on a machine whose energy "
            "can be measured or modelled, or use a budget in TFLOPs or minutes."
        )
    raise InputError(f"No finished cell has known {question.cost}. Use another budget.")
