"""The command `run`: run a whole experiment, or continue it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detreduce.cli import completion
from detreduce.cli.help import RUN
from detreduce.cli.options import AllowLeaks, Json, number_option, output_option
from detreduce.cli.output import print_json
from detreduce.cli.values import parse_parameters
from detreduce.display.listener import listening
from detreduce.display.progress import tell
from detreduce.errors import DetreduceError, InputError

if TYPE_CHECKING:
    from detreduce.experiment.costs.limits import Limits
    from detreduce.experiment.ledger.ledger import Ledger
    from detreduce.experiment.run import PreparedExperiment

Config = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG", autocompletion=completion.configs, help="An experiment YAML, for instance configs/demo.yaml."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        autocompletion=completion.keys,
        help="Values that replace values in the YAML, for instance train.epochs=1 reduce.keep=[0.1].",
    ),
]
Output = Annotated[
    Path | None,
    output_option("Folder for the results (the ledger). Default: runs/<name>.", "FOLDER"),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Show the plan, but do not run it and do not write files.", rich_help_panel=RUN),
]
MaxHours = Annotated[
    float | None,
    number_option(
        "Do not start a training that would end later than this number of hours after the start of the run.", RUN
    ),
]
MaxWh = Annotated[
    float | None,
    number_option("Do not start a training if the energy of the whole run would then exceed this number of Wh.", RUN),
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Run only part I of N of the trainings: 1/2 on one machine, 2/2 on another machine.",
        rich_help_panel=RUN,
    ),
]
OnRay = Annotated[
    bool,
    typer.Option("--ray", help="Run the trainings on a Ray cluster, or with Ray on this machine.", rich_help_panel=RUN),
]
GpusPerCell = Annotated[
    float | None,
    number_option(
        "With --ray: GPUs for each training. 0.5 runs two trainings on one GPU. Default: 1 if there is a GPU.", RUN
    ),
]


def run(
    config: Config,
    overrides: Overrides = None,
    output: Output = None,
    dry_run: DryRun = False,
    max_hours: MaxHours = None,
    max_wh: MaxWh = None,
    shard: Shard = None,
    on_ray: OnRay = False,
    gpus_per_cell: GpusPerCell = None,
    allow_leaks: AllowLeaks = False,
    as_json: Json = False,
) -> None:
    """Run or resume a whole experiment: every method, keep and seed, and the controls.

    The command first shows the plan. A cell is one training. The expected costs are estimated from finished cells. If
    the run stops at --max-hours or --max-wh, the command lists the remaining cells and exits with code 0. To continue,
    run the same command again.

    Example: detreduce run configs/demo.yaml --dry-run
    """
    if gpus_per_cell is not None and not on_ray:
        raise InputError("--gpus-per-cell needs --ray. Add --ray, or leave --gpus-per-cell out.")
    from detreduce.dataset.load import YAML_SUFFIXES
    from detreduce.dataset.paths.finding import find

    file, values = find(config, what="experiment YAML", suffixes=YAML_SUFFIXES), parse_parameters(overrides or [])
    if allow_leaks:
        values["allow_leaks"] = True
    from detreduce.experiment.config import load_config
    from detreduce.experiment.costs.limits import Limits
    from detreduce.experiment.results.conclude import conclude
    from detreduce.experiment.results.outcome import outcome_of
    from detreduce.experiment.run import prepare_experiment

    limits = Limits(max_hours, max_wh)
    settings = load_config(file, values)
    prepared = prepare_experiment(settings, output, shard=shard)
    if dry_run and as_json:
        leaks = prepared.leak_warning
        dropped = prepared.dropped.to_dict() if prepared.dropped else None
        found = {"leaks": leaks.to_dict() if leaks else None, "dropped_leaks": dropped}
        content = {"problems": prepared.problems.to_dict(), **found}
        print_json({**prepared.overview.to_dict(), **content, "few_steps": prepared.few_steps})
        return
    if not dry_run:
        prepared.check_leaks()
    from detreduce.cli.show.run import show_conclusion, show_next, show_outcome, show_plan
    from detreduce.cli.show.terminal import console, show_problems, show_status, show_text
    from detreduce.display.terminal_text import WARNING

    show_plan(prepared.overview, stderr=not dry_run)
    if dry_run:
        from detreduce.cli.show.leaks import show_leaks, show_only_files

        show_leaks(prepared.leak_warning)
        if not prepared.pixels_compared:
            show_only_files()
        if prepared.dropped is not None:
            show_text(console(), prepared.dropped.line)
        show_problems(console(), prepared.problems)
        if prepared.few_steps:
            show_status(console(), f"Warning: {prepared.few_steps}", WARNING)
        return
    with listening(tell):
        ledger = _run_cells(prepared, limits, on_ray=on_ray, gpus_per_cell=gpus_per_cell)
    outcome = outcome_of(ledger, prepared.plan)
    conclusion = conclude(outcome)
    if as_json:
        print_json({**outcome.to_dict(), "conclusion": conclusion.to_dict(ledger.path)})
        return
    show_outcome(settings, outcome)
    show_conclusion(conclusion, ledger.path)
    show_next(prepared)


def _run_cells(prepared: PreparedExperiment, limits: Limits, *, on_ray: bool, gpus_per_cell: Any) -> Ledger:
    """Run the missing cells and return the ledger. After an error or Ctrl-C, the message says how to continue."""
    try:
        if not on_ray:
            return prepared.run(limits)
        from detreduce.experiment.on_ray import run_on_ray

        return run_on_ray(prepared, limits, gpus_per_cell=gpus_per_cell)
    except InputError:
        raise
    except DetreduceError as error:
        left = len(prepared.missing)
        raise DetreduceError(
            f"{error} {left} of {len(prepared.cells)} cells remain. Run the same command again to continue."
        ) from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt("finished cells are kept, and the same command continues") from None
