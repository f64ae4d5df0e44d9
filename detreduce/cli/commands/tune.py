"""The command `tune`: find a good recipe within a budget of energy, computation or time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detreduce.cli.help import DATA, RUN
from detreduce.cli.options import (
    AllowLeaks,
    Country,
    Data,
    Json,
    Model,
    TrainingSeed,
    UltralyticsArguments,
    file_option,
    number_option,
    output_option,
)
from detreduce.cli.output import print_json
from detreduce.cli.values import training_arguments

if TYPE_CHECKING:
    from detreduce.experiment.tuning.prepared import PreparedTuning
    from detreduce.experiment.tuning.result import TuningResult


def tune(
    data: Data,
    arguments: UltralyticsArguments = None,
    model: Model = "yolo11n.pt",
    budget_wh: Annotated[
        float | None,
        number_option("Energy budget of the whole tuning in watt-hours, earlier runs included."),
    ] = None,
    budget_tflops: Annotated[
        float | None,
        number_option("Budget of the whole tuning in TFLOPs (10^12 operations). Evaluations are not counted."),
    ] = None,
    minutes: Annotated[
        float | None,
        number_option("Time budget of the whole tuning in minutes of training and evaluation, earlier runs included."),
    ] = None,
    recipes: Annotated[
        Path | None,
        file_option("YAML file with a list of recipes to try. Default: recipes that fit the data and the model."),
    ] = None,
    recipe_file: Annotated[
        Path | None,
        file_option("Where to write the best recipe. Default: recipe.yaml in the folder of the results."),
    ] = None,
    output: Annotated[
        Path | None,
        output_option("Folder for the results (the ledger). Default: runs/tune-<dataset>.", "FOLDER"),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show the trainings and their expected cost, but train nothing.", rich_help_panel=RUN
        ),
    ] = False,
    seed: TrainingSeed = 0,
    country: Country = "ESP",
    allow_leaks: AllowLeaks = False,
    drop_leaked: Annotated[
        bool,
        typer.Option(
            "--drop-leaked",
            help="Leave images of train out that are also in val or test, exact or near-duplicates.",
            rich_help_panel=DATA,
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Find a good recipe within a budget.

    The tuning has several rounds. The first round trains many recipes for a short time. Each further round trains the
    better half of the last round for longer. All trainings of a round use the same number of TFLOPs. The recipes are
    compared by their mAP on val, never on test.

    If the budget allows, the best recipe is then compared with the best other recipe that uses each image equally
    often. This comparison uses new seeds. To continue a stopped tuning, run the same command again.

    Example: detreduce tune data.yaml --model yolo11n.pt --budget-wh 20 epochs=50 imgsz=640
    """
    from detreduce.dataset.paths.finding import locate_dataset
    from detreduce.display.listener import listening
    from detreduce.display.progress import tell
    from detreduce.experiment.tuning.prices import Budget
    from detreduce.experiment.tuning.setup import TuningRequest
    from detreduce.experiment.tuning.tune import prepare_tuning

    given = training_arguments(arguments, tune)
    budget = Budget.of({"budget_wh": budget_wh, "budget_tflops": budget_tflops, "minutes": minutes})
    leaks = {"allow_leaks": allow_leaks, "drop_leaked": drop_leaked}
    request = TuningRequest(
        locate_dataset(data), model, budget, recipes, output, seed, country, **leaks, arguments=given
    )
    with listening(tell):
        prepared = prepare_tuning(request)
    from detreduce.cli.show.tune import plan_to_dict, show_plan, show_result

    if dry_run:
        if as_json:
            print_json(plan_to_dict(prepared))
        else:
            show_plan(prepared)
        return
    with listening(tell):
        result = _run(prepared, recipe_file)
    if as_json:
        print_json(result.to_dict())
    else:
        show_result(result)


def _run(prepared: PreparedTuning, recipe_file: Path | None) -> TuningResult:
    """Run the tuning. If the user presses Ctrl-C, the message says how to continue."""
    try:
        return prepared.run(recipe_file)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("finished trainings are kept, and the same command continues") from None
