"""The command `reduce`: choose which images to keep and write the smaller dataset."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from detreduce.cli import completion
from detreduce.cli.options import Alike, Backbone, Cache, Data, Images, Json, Split
from detreduce.cli.output import print_json
from detreduce.cli.reduction import (
    check_names,
    checked_reducer,
    choose_from,
    composition_of,
    duplicates_by_features,
)
from detreduce.cli.values import parse_keep, parse_parameters, read_categories, wanted_duplicates

Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder for the reduced dataset; made anew.")
]
Parameters = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE",
        autocompletion=completion.parameters,
        help="The method's own parameters, for instance start=center.",
    ),
]
Method = Annotated[
    str,
    typer.Option("--method", "-m", metavar="NAME", autocompletion=completion.methods, help="See `detreduce methods`."),
]
Keep = Annotated[
    str,
    typer.Option(
        "--keep", "-k", metavar="NUMBER", help="A fraction with a point (0.25, 1.0) or a count of images (500)."
    ),
]
Seed = Annotated[int, typer.Option(metavar="NUMBER", help="Seed of every draw.")]
Categories = Annotated[
    str,
    typer.Option(
        metavar="RULE",
        autocompletion=completion.rules,
        help="rarest, dominant, combination, none, or a YAML file of rules.",
    ),
]
Blocks = Annotated[
    str,
    typer.Option(
        metavar="NAMES", help="Of image, objects, annotations, with commas; default: all that the method can use."
    ),
]
Link = Annotated[Literal["hardlink", "symlink", "copy", "list"], typer.Option(help="How images get into the output.")]
Format = Annotated[str | None, typer.Option("--format", metavar="NAME", help="yolo; default: the source's own.")]
MustKeep = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Text file of image names, one a line, kept first.")
]
Initial = Annotated[Path | None, typer.Option(metavar="FILE", help="An earlier selection.json to go on from.")]
DropDuplicates = Annotated[bool, typer.Option("--drop-duplicates", help="Leave near-duplicates out.")]
DuplicatesBy = Annotated[Alike, typer.Option(help="Alike in pixels, in the largest box, in features, or equal.")]
DuplicatesFrom = Annotated[
    float | None, typer.Option(metavar="NUMBER", help="From this similarity on; default 0.85, of features 0.95.")
]
ClassFloor = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[CLASS=]NUMBER", help="Images to keep of every class (3), or of one (bus=10); may be repeated."
    ),
]
Groups = Annotated[str | None, typer.Option(metavar="RULE", help=r"Videos: folder, or part of the name: '(.+)_\d+'.")]
MaxPerGroup = Annotated[int | None, typer.Option(metavar="NUMBER", help="Images to keep of one of the groups at most.")]
Unreadable = Annotated[Literal["skip", "raise"], typer.Option(help="What to do where an image cannot be read.")]
ProxyLog = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Log of a proxy training, for vps, forgetting, el2n, aum and gradmatch."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output made by detreduce.")]


def reduce(
    data: Data,
    output: Output,
    parameters: Parameters = None,
    method: Method = "srs",
    keep: Keep = "0.25",
    seed: Seed = 0,
    categories: Categories = "rarest",
    backbone: Backbone = "efficientnet-lite0",
    blocks: Blocks = "",
    split: Split = None,
    images: Images = None,
    link: Link = "hardlink",
    output_format: Format = None,
    must_keep: MustKeep = None,
    initial: Initial = None,
    drop_duplicates: DropDuplicates = False,
    duplicates_by: DuplicatesBy = "pixels",
    duplicates_from: DuplicatesFrom = None,
    class_floor: ClassFloor = None,
    groups: Groups = None,
    max_per_group: MaxPerGroup = None,
    unreadable: Unreadable = "skip",
    cache: Cache = None,
    proxy: ProxyLog = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Choose which images to keep and write the smaller dataset.

    Example: detreduce reduce data.yaml --method class_coverage --keep 0.25 --output reduced/
    """
    from detreduce.dataset.finding import find

    amount = parse_keep(keep)
    own = parse_parameters(parameters or [], options=("keep", "seed", "random_state", "method", "categories"))
    check_names(method, own)
    duplicates = wanted_duplicates(drop_duplicates, duplicates_by, duplicates_from)
    by_features = duplicates == "features"
    place = find(data, what="dataset")
    from detreduce.dataset import load_dataset
    from detreduce.dataset.categories import assign_categories
    from detreduce.dataset.write import check_output, subset_report, write_subset
    from detreduce.representativeness import measure_representativeness
    from detreduce.selection.choose import select

    rule = read_categories(categories)
    given = {"groups": groups is not None, "limited": max_per_group is not None}
    reducer = checked_reducer(method, amount, seed, own, proxy, **given)
    dataset = load_dataset(place, split=split, images=images)
    # what would fail after the features were extracted fails now
    composition = composition_of(
        dataset,
        amount,
        False if by_features else duplicates,
        initial,
        must_keep,
        class_floor,
        groups=groups,
        max_per_group=max_per_group,
    )
    assign_categories(dataset.class_counts, dataset.class_names, rule)
    check_output(dataset, output, link=link, format=output_format, overwrite=overwrite)
    source = choose_from(dataset, reducer, method, backbone, blocks, unreadable=unreadable, cache=cache, proxy=proxy)
    if by_features:
        composition["drop_duplicates"] = duplicates_by_features(
            source, composition, backbone, duplicates_from, seed, unreadable=unreadable, cache=cache
        )
    selection = select(source, method, amount, seed, rule, cache=cache, **composition, **own)
    measured = measure_representativeness(source, selection, rule)
    selection = replace(selection, representativeness=measured.to_dict())
    reduced = write_subset(dataset, selection, output, link=link, format=output_format, overwrite=overwrite)
    report = subset_report(dataset, selection.image_ids)
    if as_json:
        found: dict[str, Any] = {"data": str(reduced.source.path), "selection": str(output / "selection.json")}
        print_json({**found, **asdict(report), "representativeness": selection.representativeness})
        return
    from detreduce.cli.show.selection import show_reduced

    show_reduced(selection, report, measured, output, reduced.source.path if dataset.labelled else None)
