"""Find a recipe within a budget: rungs of short trainings, then a comparison with fresh seeds.

Every rung is an ordinary experiment in one ledger, so finished trainings are used again, and several processes may
share the ledger. The file ``tune.json`` holds the decisions between the rungs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from detreduce.display.listener import Listener, listening
from detreduce.experiment.tuning.prepared import PreparedTuning
from detreduce.experiment.tuning.prices import Budget
from detreduce.experiment.tuning.result import TuningResult
from detreduce.experiment.tuning.setup import TuningRequest, set_up
from detreduce.experiment.tuning.space import Recipes


def tune(
    data: str | Path,
    model: str | Path = "yolo11n.pt",
    *,
    budget_wh: float | None = None,
    budget_tflops: float | None = None,
    minutes: float | None = None,
    recipes: Recipes | None = None,
    output: str | Path | None = None,
    recipe_file: str | Path | None = None,
    seed: int = 0,
    country: str = "ESP",
    allow_leaks: bool = False,
    drop_leaked: bool = False,
    say: Listener | None = None,
    **ultralytics_arguments: Any,
) -> TuningResult:
    """Find a recipe for a training within a budget, by successive halving, and measure it with fresh seeds.

    The first rung trains every recipe for a short time. The next rung trains the better half for twice as long, and so
    on. The trainings of a rung have equal TFLOPs. The val split chooses, or, if there is none, a fifth of train that no
    training sees. The test split never chooses. Then the best recipe and the best other uniform recipe are trained with
    fresh seeds, if the budget allows at least three, and measured on test (without a test split: on the images that
    chose). Call the function again to continue: finished trainings are used again.

    Parameters
    ----------
    data
        The dataset, as for `train`.
    model
        Weights (``.pt``), or a model description (``.yaml``) to start from random weights.
    budget_wh, budget_tflops, minutes
        What all trainings in the ledger may cost together, earlier runs included. Exactly one is needed. Wh and minutes
        include the evaluations; TFLOPs do not. A training does not start if the budget would then be exceeded, as far
        as finished trainings show their cost.
    recipes
        The recipes to try: a YAML file with a list, or a sequence of `Recipe` and dicts. Your own settings are always
        tried too. Default: a few recipes that fit the data and the model.
    output
        The folder of the ledger. Default: ``runs/tune-<dataset>``.
    recipe_file
        Where to write the recipe. Default: ``recipe.yaml`` in the ledger.
    seed
        Training seed of the rungs. The fresh seeds are the numbers after it.
    country
        Country whose electricity mix converts energy to CO2.
    allow_leaks
        Whether to train although images of val or test are also in train.
    drop_leaked
        Whether to leave such images out of all trainings, exact and near-duplicates. All images are opened once.
    say
        Called with one line of text for each step. By default nothing is printed.
    **ultralytics_arguments
        The arguments of the training to tune: ``epochs=50, imgsz=640``. No training is longer than this one.

    Raises
    ------
    InputError
        The budget is too small for one rung, a recipe cannot be trained, or an argument is wrong. Nothing is trained.
    """
    budget = Budget.of({"budget_wh": budget_wh, "budget_tflops": budget_tflops, "minutes": minutes})
    request = TuningRequest(
        data, model, budget, recipes, output, seed, country, allow_leaks, drop_leaked, dict(ultralytics_arguments)
    )
    with listening(say):
        return prepare_tuning(request).run(recipe_file)


def prepare_tuning(request: TuningRequest) -> PreparedTuning:
    """Check a tuning, like `tune`, but train nothing and write no ledger.

    Raise InputError if the budget does not allow one rung.
    """
    prepared = PreparedTuning(set_up(request))
    prepared.check()
    return prepared
