"""Find a recipe within a budget: rungs of short trainings, then a comparison with fresh seeds.

Every rung is an ordinary experiment in one ledger. Therefore finished trainings are reused, and several processes may
share the ledger. The decisions between the rungs are in the file ``tune.json``.
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
    """Find a good recipe for a training within a budget by successive halving, and measure it with fresh seeds.

    The first rung trains every recipe for a short time. The next rung trains the better half for twice as long, and so
    on. All trainings of a rung have equal TFLOPs. Recipes are chosen on the val split. If there is none, they are
    chosen on a fifth of train that no training sees. The test split is never used to choose recipes.

    If the rest of the budget is enough for at least three fresh seeds, a comparison follows. The best recipe and the
    best other uniform recipe are trained with these seeds and measured on test. If there is no test split, they are
    measured on the images that were used to choose the recipe. The number of seeds is decided once.

    To continue, call the function again. Finished trainings are reused. A recipe whose training fails is left out, and
    the result lists it.

    Parameters
    ----------
    data
        The dataset, as in `train`.
    model
        Weights (``.pt``), or a model description (``.yaml``) for random initial weights.
    budget_wh, budget_tflops, minutes
        What all trainings in the ledger together may cost, including earlier runs and other processes. Pass exactly one
        of them. Wh and minutes include the evaluations, but TFLOPs do not. The cost of the next training is estimated
        from finished trainings. The training is not started if this cost would exceed the budget.
    recipes
        The recipes to try: a YAML file with a list of recipes, or a sequence whose items are `Recipe` objects or dicts.
        Your own settings are always tried too. The default is a few recipes that suit the data and the model.
    output
        The folder of the ledger. The default is ``runs/tune-<dataset>``.
    recipe_file
        The file for the recipe. The default is ``recipe.yaml`` in the ledger.
    seed
        The training seed of all rungs. The fresh seeds are the numbers that follow it.
    country
        The country whose electricity mix is used to convert energy to CO2.
    allow_leaks
        Whether to train even if images of val or test are also in train.
    drop_leaked
        Whether to leave such images, and their near-duplicates, out of all trainings. All images are opened once.
    say
        A function that is called with one line of text for each step. By default, nothing is printed.
    **ultralytics_arguments
        The arguments of the training to tune, for example ``epochs=50, imgsz=640``. No training is longer than this
        one.

    Raises
    ------
    InputError
        The budget is too small for one rung, a recipe cannot be trained, or an argument is wrong. Nothing is trained.
    DetreduceError
        Something cannot be written, or every training of a rung failed. Finished trainings are kept.
    """
    budget = Budget.of({"budget_wh": budget_wh, "budget_tflops": budget_tflops, "minutes": minutes})
    request = TuningRequest(
        data, model, budget, recipes, output, seed, country, allow_leaks, drop_leaked, dict(ultralytics_arguments)
    )
    with listening(say):
        return prepare_tuning(request).run(recipe_file)


def prepare_tuning(request: TuningRequest) -> PreparedTuning:
    """Check the arguments of a tuning as `tune` does, but train nothing and write no ledger.

    Raise InputError if the budget does not allow one rung.
    """
    prepared = PreparedTuning(set_up(request))
    prepared.check()
    return prepared
