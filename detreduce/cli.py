"""Thin commands over the same functions that Python users call."""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from detreduce.cli_values import parse_class_floor, wanted_duplicates
from detreduce.errors import DetreduceError, DetreduceWarning, InputError

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
# what a disk says, not a mistake of the program
CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)

app = typer.Typer(
    name="detreduce",
    help="Train object detectors on fewer images: choose which to keep, write them, measure what it cost and saved.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted.",
)

Data = Annotated[
    Path,
    typer.Argument(
        help="data.yaml, COCO JSON, VOC folder, CVAT or Label Studio export, images, or a name: coco8.yaml."
    ),
]
Images = Annotated[
    Path | None, typer.Option(help="The images folder of a COCO, CVAT or Label Studio file, where it is elsewhere.")
]
Split = Annotated[
    str | None, typer.Option(help="train, val or test; default: train, or the split that a COCO JSON is.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def main() -> None:
    """Entry point of the ``detreduce`` command."""
    app()


def friendly(command: Callable[..., None]) -> Callable[..., None]:
    """Turn deliberate errors into one message on stderr and an exit code; anything else keeps its traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                command(*args, **kwargs)
            except DetreduceError as error:
                typer.echo(f"Error: {error}", err=True)
                raise typer.Exit(EXIT_BAD_INPUT if isinstance(error, InputError) else EXIT_FAILED) from None
            except KeyboardInterrupt as interruption:
                typer.echo(f"Interrupted. {interruption}".strip(), err=True)
                raise typer.Exit(EXIT_INTERRUPTED) from None
            except BrokenPipeError:
                # the reader of a pipe has closed it, as `| head` does
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(0) from None
            except OSError as error:
                if error.errno not in CANNOT_WRITE:
                    raise
                typer.echo(f"Error: {error}", err=True)
                raise typer.Exit(EXIT_FAILED) from None

    return wrapped


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context,
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Choose, write, train, measure."""
    if show:
        from detreduce.version import __version__

        typer.echo(f"detreduce {__version__}")
        raise typer.Exit


@app.command()
@friendly
def inspect(
    data: Data,
    split: Split = None,
    images: Images = None,
    check_images: Annotated[bool, typer.Option(help="Open every image and list those that cannot be read.")] = False,
    all_problems: Annotated[bool, typer.Option("--all", help="List every problem, not the first 20.")] = False,
    as_json: Json = False,
) -> None:
    """Show what is in a dataset, and what is wrong with it.

    Example: detreduce inspect data.yaml --split val
    """
    from detreduce.dataset import load_dataset
    from detreduce.dataset.checks import check_images as find_unreadable
    from detreduce.dataset.checks import summarise
    from detreduce.paths import find

    dataset = load_dataset(find(data, what="dataset"), split=split, images=images)
    if check_images:
        dataset = replace(dataset, problems=(*dataset.problems, *find_unreadable(dataset)))
    summary = summarise(dataset)
    if as_json:
        print_json(summary.to_dict())
        return
    from detreduce.terminal import show_summary

    show_summary(summary, problems_shown=None if all_problems else 20)


@app.command()
@friendly
def reduce(
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the reduced dataset; made anew.")],
    parameters: Annotated[
        list[str] | None, typer.Argument(help="The method's own parameters, for instance start=center.")
    ] = None,
    method: Annotated[str, typer.Option("--method", "-m", help="See `detreduce methods`.")] = "mms",
    keep: Annotated[
        str, typer.Option("--keep", "-k", help="A fraction with a point (0.25, 1.0) or a count of images (500).")
    ] = "0.25",
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    categories: Annotated[
        str, typer.Option(help="rarest, dominant, combination, none, or a YAML file of rules.")
    ] = "rarest",
    backbone: Annotated[
        str, typer.Option(help="efficientnet-lite0, yolo:weights.pt, torchvision:name or file:vectors.npy.")
    ] = "efficientnet-lite0",
    blocks: Annotated[
        str, typer.Option(help="Of image, objects, annotations, with commas; default: all that the method can use.")
    ] = "",
    split: Split = None,
    images: Images = None,
    link: Annotated[
        Literal["hardlink", "symlink", "copy", "list"], typer.Option(help="How images get into the output.")
    ] = "hardlink",
    output_format: Annotated[str | None, typer.Option("--format", help="yolo; default: the source's own.")] = None,
    must_keep: Annotated[Path | None, typer.Option(help="Text file of image names, one a line, kept first.")] = None,
    initial: Annotated[Path | None, typer.Option(help="An earlier selection.json to go on from.")] = None,
    drop_duplicates: Annotated[bool, typer.Option("--drop-duplicates", help="Leave near-duplicates out.")] = False,
    duplicates_by: Annotated[
        Literal["pixels", "boxes", "exact"], typer.Option(help="Alike in pixels, in the largest box, or equal.")
    ] = "pixels",
    duplicates_from: Annotated[float | None, typer.Option(help="From this similarity on; default 0.85.")] = None,
    class_floor: Annotated[
        list[str] | None, typer.Option(help="Images to keep of every class (3), or of one (bus=10); may be repeated.")
    ] = None,
    groups: Annotated[str | None, typer.Option(help=r"Videos: folder, or part of the name: '(.+)_\d+'.")] = None,
    max_per_group: Annotated[int | None, typer.Option(help="Images to keep of one of the groups at most.")] = None,
    unreadable: Annotated[
        Literal["skip", "raise"], typer.Option(help="What to do where an image cannot be read.")
    ] = "skip",
    cache: Annotated[Path | None, typer.Option(help="Folder for cached features.")] = None,
    proxy: Annotated[
        Path | None, typer.Option(help="Log of a proxy training, for vps, forgetting, el2n, aum and gradmatch.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output made by detreduce.")] = False,
    as_json: Json = False,
) -> None:
    """Choose which images to keep and write the smaller dataset.

    Example: detreduce reduce data.yaml --method mms --keep 0.25 --output reduced/
    """
    from detreduce.composition import check_composition, read_names
    from detreduce.dataset import load_dataset
    from detreduce.dataset.categories import assign_categories
    from detreduce.dataset.write import check_output, subset_report, write_subset
    from detreduce.features.blocks import blocks_for
    from detreduce.features.extract import extract_features
    from detreduce.paths import find
    from detreduce.reducers import make_reducer
    from detreduce.reducers.budget import resolve_keep
    from detreduce.representativeness import measure_representativeness
    from detreduce.selection import Selection, needs_extraction, select

    amount = parse_keep(keep)
    if not drop_duplicates and (duplicates_from is not None or duplicates_by != "pixels"):
        raise InputError("--duplicates-by and --duplicates-from need --drop-duplicates: they say which to leave out.")
    own = parse_parameters(parameters or [], options=("keep", "seed", "random_state", "method", "categories"))
    reducer = make_reducer(method, keep=amount, random_state=seed, **own)
    reducer.check_params()
    check_proxy(method, reducer.needs, proxy)
    reducer.check_given(groups=groups is not None, limited=max_per_group is not None)
    dataset = load_dataset(find(data, what="dataset"), split=split, images=images)
    composition: dict[str, Any] = {
        "initial": Selection.load(initial).image_ids if initial else (),
        "must_keep": read_names(must_keep) if must_keep else None,
        "class_floor": parse_class_floor(class_floor or []),
        "drop_duplicates": drop_duplicates and wanted_duplicates(duplicates_by, duplicates_from),
        "groups": groups,
        "max_per_group": max_per_group,
    }
    rule = read_categories(categories)
    # what would fail after the features were extracted fails now
    check_composition(dataset, resolve_keep(amount, len(dataset)), **composition)
    assign_categories(dataset.class_counts, dataset.class_names, rule)
    check_output(dataset, output, link=link, format=output_format, overwrite=overwrite)
    source: Any = dataset
    if needs_extraction(reducer):
        asked = tuple(part.strip() for part in blocks.split(",")) if blocks else None
        source = extract_features(
            dataset,
            backbone=backbone,
            blocks=blocks_for(method, reducer.needs, dataset, backbone, asked, proxy),
            unreadable=unreadable,
            cache=cache,
            proxy=proxy,
        )
    selection = select(source, method, amount, seed, rule, cache=cache, **composition, **own)
    measured = measure_representativeness(source, selection, rule)
    selection = replace(selection, representativeness=measured.to_dict())
    reduced = write_subset(dataset, selection, output, link=link, format=output_format, overwrite=overwrite)
    report = subset_report(dataset, selection.image_ids)
    if as_json:
        found = {"data": str(reduced.source.path), "selection": str(output / "selection.json"), **asdict(report)}
        print_json({**found, "representativeness": selection.representativeness})
        return
    from detreduce.terminal import show_reduced

    show_reduced(selection, report, measured, output, reduced.source.path if dataset.labelled else None)


_TRAIN_OPTIONS = ("model", "output", "seed", "choose", "evaluate_on", "country", "images", "images_per_epoch", "data")


@app.command(context_settings={"ignore_unknown_options": False})
@friendly
def train(
    data: Data,
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Any ultralytics argument by its name: epochs=50 imgsz=640.")
    ] = None,
    model: Annotated[str, typer.Option(help="Weights (.pt) or an architecture (.yaml).")] = "yolo11n.pt",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Run folder; default below runs/train.")] = None,
    images: Images = None,
    seed: Annotated[int, typer.Option(help="Training seed.")] = 0,
    choose: Annotated[Literal["last", "best"], typer.Option(help="Which epoch is judged.")] = "last",
    evaluate_on: Annotated[
        Literal["auto", "val", "test", "val+test"],
        typer.Option("--on", help="Which images the figures are from; auto: test if there is one, else val."),
    ] = "auto",
    country: Annotated[str, typer.Option(help="Where the electricity comes from (ISO 3166 alpha-3).")] = "ESP",
    images_per_epoch: Annotated[
        int | None, typer.Option(help="As many batches and steps an epoch as a subset of so many images, on all data.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a detector inside an energy meter and measure it twice.

    Example: detreduce train reduced/data.yaml --model yolo11n.pt epochs=50 imgsz=640
    """
    from detreduce.paths import find
    from detreduce.training.harness import train as run_training

    record = run_training(
        find(data, what="dataset"),
        model=model,
        output=output,
        seed=seed,
        choose=choose,
        evaluate_on=evaluate_on,
        country=country,
        images=images,
        images_per_epoch=images_per_epoch,
        **parse_parameters(arguments or [], options=_TRAIN_OPTIONS),
    )
    if as_json:
        typer.echo(record.model_dump_json(indent=1))
        return
    from detreduce.terminal import show_record

    show_record(record)


@app.command(context_settings={"ignore_unknown_options": False})
@friendly
def proxy(
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="The log to write, for instance proxy.npz.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Any ultralytics argument by its name: epochs=10 imgsz=320.")
    ] = None,
    model: Annotated[str, typer.Option(help="Weights (.pt) or an architecture (.yaml).")] = "yolo11n.pt",
    images: Images = None,
    seed: Annotated[int, typer.Option(help="Training seed.")] = 0,
    country: Annotated[str, typer.Option(help="Where the electricity comes from (ISO 3166 alpha-3).")] = "ESP",
    as_json: Json = False,
) -> None:
    """Train a small detector briefly and log how it fares on every box, for methods that choose by that.

    Example: detreduce proxy data.yaml --model yolov8n.pt --output proxy.npz epochs=5 imgsz=320
    """
    from detreduce.paths import find
    from detreduce.training.proxy import log_proxy_training

    log = log_proxy_training(
        find(data, what="dataset"),
        model=model,
        output=output,
        seed=seed,
        country=country,
        images=images,
        **parse_parameters(arguments or [], options=("model", "output", "seed", "country", "images", "data")),
    )
    if as_json:
        print_json({"log": str(output), "images": len(log.image_ids), "boxes": len(log.box_images), **log.facts})
        return
    from detreduce.terminal import show_proxy

    show_proxy(log, output)


@app.command()
@friendly
def run(
    config: Annotated[Path, typer.Argument(help="An experiment YAML, for instance configs/demo.yaml.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Values that replace the YAML's: train.epochs=1 reduce.keep=[0.1].")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Ledger; default runs/<name>.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, run nothing, make no ledger.")] = False,
    max_hours: Annotated[float | None, typer.Option(help="Start no cell that would end beyond, by estimate.")] = None,
    max_wh: Annotated[float | None, typer.Option(help="Start no cell that would use more energy, by estimate.")] = None,
    shard: Annotated[str | None, typer.Option(help="i/n: the i-th of n shares of the cells, one a machine.")] = None,
    on_ray: Annotated[bool, typer.Option("--ray", help="Run the cells on a Ray cluster, or here by Ray.")] = False,
    gpus_per_cell: Annotated[
        float | None, typer.Option(help="With --ray: GPUs of a cell, 0.5 for two cells on one; default 1 if any.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a whole experiment: every method, keep and seed, and the controls. The same again resumes.

    The plan is shown first, with what the cells to run will probably cost by those that are finished. A call that stops
    at --max-hours or --max-wh says what is left, and its exit code is 0; the same command goes on.

    Example: detreduce run configs/demo.yaml --dry-run
    """
    from detreduce.config import load_config
    from detreduce.experiment.limits import Limits
    from detreduce.experiment.run import finished_rows, prepare_experiment
    from detreduce.terminal_ledger import show_plan

    if gpus_per_cell is not None and not on_ray:
        raise InputError("--gpus-per-cell is for --ray; without it a cell has every GPU that ultralytics takes.")
    limits = Limits(max_hours, max_wh)
    settings = load_config(config, parse_parameters(overrides or []))
    prepared = prepare_experiment(settings, output, say=lambda line: typer.echo(line, err=True), shard=shard)
    if dry_run and as_json:
        print_json(prepared.overview.to_dict())
        return
    show_plan(prepared.overview, stderr=not dry_run)
    if dry_run:
        return
    try:
        if on_ray:
            from detreduce.experiment.on_ray import run_on_ray

            ledger = run_on_ray(prepared, limits, gpus_per_cell=gpus_per_cell)
        else:
            ledger = prepared.run(limits)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("The same command goes on after the cells that are finished.") from None
    rows = finished_rows(ledger)
    if as_json:
        print_json(rows)
        return
    from detreduce.experiment.leakage import read_leakage
    from detreduce.experiment.statistics import summarise_cells
    from detreduce.experiment.statistics.break_even import break_even
    from detreduce.experiment.statistics.comparison import compare_methods
    from detreduce.experiment.statistics.ranks import rank_methods
    from detreduce.terminal import show_comparison
    from detreduce.terminal_questions import leakage_lines
    from detreduce.training.energy import carbon_intensity

    show_comparison(
        settings.name,
        summarise_cells(rows),
        compare_methods(rows, ledger.evidence),
        rank_methods(rows),
        break_even(rows),
    )
    typer.echo(carbon_intensity(settings.energy.country))
    if settings.evaluate.choose == "best" and any("val" in str(row.get("evaluated_on")) for row in rows):
        typer.echo("The epochs were chosen on val, whose images the figures are from: all figures are too good.")
    for line in leakage_lines(read_leakage(ledger).get("counts", {})):
        typer.echo(line)


@app.command()
@friendly
def methods(
    name: Annotated[str | None, typer.Argument(help="Show this method in full: its parameters, an example.")] = None,
    as_json: Json = False,
) -> None:
    """List every method: family, what it keeps, needs and costs, when it fails, where it comes from.

    Example: detreduce methods mms
    """
    from detreduce.reducers import list_reducers, reducer_class
    from detreduce.reducers.description import describe

    found = [describe(reducer_class(known)) for known in ([name] if name is not None else list_reducers())]
    if as_json:
        print_json(asdict(found[0]) if name is not None else [method.declared() for method in found])
        return
    from detreduce.terminal import show_method, show_methods

    if name is None:
        show_methods(found)
    else:
        show_method(found[0])


def check_proxy(method: str, needs: tuple[str, ...], proxy: Path | None) -> None:
    """Raise InputError unless a proxy is given just where the method needs a block of a proxy training."""
    from detreduce.features.table import SEPARATE_BLOCKS

    learns = any(name in needs for name in SEPARATE_BLOCKS)
    if learns and proxy is None:
        raise InputError(
            f"The method {method!r} learns from a proxy training: make its log with `detreduce proxy data.yaml "
            "--output proxy.npz` and give it as --proxy proxy.npz."
        )
    if proxy is not None and not learns:
        raise InputError(f"--proxy {proxy}: the method {method!r} does not learn from a proxy training; leave it out.")


def parse_keep(text: str) -> float | int:
    """A count where the text is a whole number without a point, else a fraction."""
    try:
        return int(text) if text.strip().lstrip("+-").isdigit() else float(text)
    except ValueError:
        example = "0.25 keeps a quarter of the images, 500 keeps 500"
        raise InputError(f"--keep {text!r} is not a number; {example}.") from None


def parse_parameters(texts: list[str], options: tuple[str, ...] = ()) -> dict[str, Any]:
    """``name=value`` texts as a mapping; values are read as YAML (numbers, true, lists).

    Names among `options` are refused: they have an option or argument of their own.
    """
    import yaml

    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.replace(".", "_").isidentifier():
            raise InputError(f"{text!r} is not of the form name=value, for instance epochs=50.")
        if name in options:
            own = {"random_state": "seed", "evaluate_on": "on"}.get(name, name)
            raise InputError(f"Give {name!r} as " + ("the first argument." if own == "data" else f"--{own} {value}."))
        try:
            found[name] = yaml.safe_load(value) if value else ""
        except yaml.YAMLError as error:
            raise InputError(f"The value of {name!r} cannot be read: {value!r}.") from error
    return found


def read_categories(text: str) -> Any:
    """The name of a rule, or the list of rules in a YAML file (at its top, or under ``categories``)."""
    if not text.endswith((".yaml", ".yml")):
        return text
    import yaml

    from detreduce.paths import find

    file = find(text, what="YAML file of category rules")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{file} cannot be read as YAML: {error}") from error
    rules = content.get("categories") if isinstance(content, dict) else content
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise InputError(f"{file} holds no list of category rules.")
    return rules


def print_json(content: Any) -> None:
    """Print JSON for scripts."""
    typer.echo(json.dumps(content, ensure_ascii=False, indent=1, default=str))


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Detreduce's own warnings in one line; those of libraries stay out of the way."""
    if issubclass(category, DetreduceWarning):
        typer.echo(f"Warning: {message}", err=True)


# the commands of another module register themselves
import detreduce.cli_ledger  # noqa: E402
import detreduce.cli_plan  # noqa: E402
import detreduce.cli_questions  # noqa: E402, F401
