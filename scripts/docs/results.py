"""Store the results of an experiment in docs/results/NAME.json, and write the tables of docs/results.md from it.

    python scripts/docs/results.py                                                # only write the tables
    python scripts/docs/results.py --keep runs/aquarium_methods --processes 2     # store a ledger, and write the tables
    python scripts/docs/results.py --compare aquarium                             # print comparisons, as in README.md

`--also NAME LABEL ...` adds rows from another stored result of the same experiment, for example its controls.

scripts/pictures/results.py draws the pictures.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from detreduce.display.numbers import fixed
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.results.outcome import outcome_of
from detreduce.experiment.statistics.break_even import break_even
from detreduce.experiment.statistics.comparison import Comparison, compare_methods
from detreduce.experiment.statistics.ranks import MethodRanks, rank_methods
from detreduce.experiment.statistics.summary import Summary, summarise_cells
from detreduce.vocabulary.controls import CONTROLS, EQUAL_ITERATIONS, FULL, RANDOM_METHODS, title_of
from detreduce.vocabulary.keeps import keep_in_words, keep_key

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, RESULTS = DOCS / "results.md", DOCS / "results"
MARKED = re.compile(r"(<!-- results: (\w+) (\w+) -->\n).*?(<!-- /results -->)", re.DOTALL)
VERSIONS = ("python", "detreduce", "torch", "ultralytics", "codecarbon", "numpy", "pycocotools")
AGAINST = {"srs": "minus `srs`", EQUAL_ITERATIONS: f"minus {CONTROLS[EQUAL_ITERATIONS].words}"}
PREDICTORS = {
    "boxes": "number of kept boxes",
    "object_similarity": "similarity of val's objects to kept objects",
    "class entropy, bits": "evenness of classes (entropy)",
    "rarest class, boxes": "kept boxes of the rarest class",
    "epsilon": "epsilon, the largest distance in a category",
}
"""Name of a measure in scripts/studies/predictors.py -> its name on the page, if the names differ."""
MACHINE = ("host", "machine", "started", "ended")


def kept(
    ledger: Ledger, processes: int, command: str, note: str, also: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return the content of docs/results/NAME.json for a finished ledger.

    It says how the results were made, and has one row per cell and the comparisons with their intervals. Methods that
    are not finished at every keep are left out.

    Parameters
    ----------
    ledger
        The ledger of the experiment.
    processes
        The number of processes that shared the cells.
    command
        The command that stores the result.
    note
        Further facts about the run, as text.
    also
        Rows from an earlier result of the same experiment. Only rows of all images, and rows at the keeps of `ledger`,
        are added.
    """
    found = outcome_of(ledger, None)
    training = found.cells[0].training
    trainings = Counter((row["label"], keep_key(row["keep"])) for row in found.rows)
    seeds, asked = max(trainings.values()), {keep_key(row["keep"]) for row in found.rows if row["control"] is None}
    unfinished = {
        row["label"]
        for row in found.rows
        if row["control"] != FULL and any(trainings[row["label"], keep] < seeds for keep in asked)
    }
    finished = [
        (row, cell) for row, cell in zip(found.rows, found.cells, strict=True) if row["label"] not in unfinished
    ]
    keeps = {keep_key(row["keep"]) for row, _ in finished}
    here = {row["key"] for row, _ in finished}
    before = [
        row for row in also if row["key"] not in here and (keep_key(row["keep"]) in keeps or row["control"] == FULL)
    ]
    comparisons = compare_methods(
        [*(row for row, _ in finished), *before], lambda key: ledger.evidence(key) if key in here else None
    )
    return {
        "command": command,
        "processes": processes,
        "versions": {name: training.versions[name] for name in VERSIONS},
        "model": training.model.model_dump(exclude={"weights_file"}),
        "evaluated_on": found.rows[0]["evaluated_on"],
        "note": note,
        "cells": [*(_row(row, cell) for row, cell in finished), *before],
        "comparisons": [item.row() for item in comparisons if item.seeds > 1],
    }


def over_seeds(result: Mapping[str, Any], measure: str) -> tuple[list[Comparison], MethodRanks | None]:
    """Return the comparisons in one measure, and the average ranks of the methods in mAP50-95, from a stored result.

    The file does not have the detections on each image, so intervals and verdicts are computed over the seeds.
    """
    compared = compare_methods(result["cells"])
    return [item for item in compared if item.measure == measure], rank_methods(result["cells"])


def in_words(compared: Sequence[Comparison], ranking: MethodRanks | None) -> Iterator[str]:
    """Yield a line of text for each comparison, and one line for the average ranks."""
    for item in compared:
        between = "" if item.low is None else f" ({item.low:+.3f} to {item.high:+.3f})"
        yield f"{item.method} at {item.keep} minus {item.against}: {item.difference:+.3f}{between}, {item.verdict}"
    if ranking is not None:
        ranks = ", ".join(f"{name} {rank:.1f}" for name, rank in ranking.average.items())
        yield f"Average ranks over {ranking.blocks} blocks: {ranks}. {ranking.in_words()}"


def _row(row: Mapping[str, Any], cell: FinishedCell) -> dict[str, Any]:
    """Return the row of a cell without the facts about the machine, but with the second measurement and the hashes."""
    evaluation, data = cell.training.evaluation, cell.training.data
    beyond = {"data_hash": data.hash, "selection": data.selection_hash}
    if evaluation is not None and evaluation.coco is not None:
        beyond = {"coco_mAP50": evaluation.coco.mAP50, "coco_mAP50_95": evaluation.coco.mAP50_95, **beyond}
    return {**{name: value for name, value in row.items() if name not in MACHINE}, **beyond}


def table(result: Mapping[str, Any], measure: str) -> Iterator[str]:
    """Yield the lines of a Markdown table with a row for each method and a group of columns for each keep.

    The best method at the largest keep comes first. `measure` is the name of a column of `cells`, such as mAP50.
    """
    summaries = [item for item in summarise_cells(result["cells"]) if item.method not in (FULL, *RANDOM_METHODS[1:])]
    keeps = sorted({keep_key(item.keep): item.keep for item in summaries}.values(), reverse=True)
    found = {(item.method, keep_key(item.keep)): item for item in summaries}
    compared = {
        (item["method"], keep_key(item["keep"]), item["against"]): item
        for item in result["comparisons"]
        if item["measure"] == measure
    }
    against = [name for name in AGAINST if any(key[2] == name for key in compared)]
    names = sorted({item.method for item in summaries}, key=lambda name: -found[name, keep_key(keeps[0])].mean[measure])
    headings = [f"keep {keep_in_words(keep)} | " + " | ".join(AGAINST[name] for name in against) for keep in keeps]
    yield "| | " + " | ".join(headings) + " |"
    yield "|---|" + "---|" * (1 + len(against)) * len(keeps)
    for name in names:
        cells = []
        for keep in map(keep_key, keeps):
            cells += [
                _value(found[name, keep], measure),
                *(_less(compared.get((name, keep, other))) for other in against),
            ]
        yield f"| {_strong(title_of(name) if name in CONTROLS else f'`{name}`', name)} | " + " | ".join(cells) + " |"


def cost_table(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a Markdown table with the minutes and Wh for each method and keep. All images come first."""
    summaries = summarise_cells(result["cells"])
    overlapped = [item.method for item in summaries if item.overlapped]
    if overlapped:
        raise ValueError(
            f"Cells of {', '.join(overlapped)} overlapped other cells, so their energy includes energy of other cells."
        )
    paid = {(item.method, keep_key(item.keep)): item for item in break_even(result["cells"])}
    yield "| | keep | minutes | Wh of training | saved | Wh of choosing, once | pays after |"
    yield "|---|---|---|---|---|---|---|"
    all_images = max(item.images for item in summaries)
    for item in sorted(summaries, key=lambda item: (-item.images, item.method != "srs", item.method)):
        cells = [f"`{item.method}`", f"{100 * item.images / all_images:.0f} %"]
        cells += [f"{item.mean['minutes']:.1f}", f"{item.mean['Wh']:.2f}"]
        if item.method == FULL:
            cells = ["**all images**", "", *cells[2:], "", "", ""]
        else:
            even = paid[item.method, keep_key(item.keep)]
            cells += [f"{1 - item.against_full['Wh']:.0%}".replace("%", " %"), f"{even.choosing_wh:.3f}"]
            cells.append(pays_after(even.trainings))
        yield "| " + " | ".join(cells) + " |"


def pays_after(trainings: float) -> str:
    """Return in words after how many trainings the energy for choosing has paid off, for example "2 trainings"."""
    if math.isnan(trainings):
        return "not known"
    if math.isinf(trainings):
        return "never"
    count = max(1, math.ceil(trainings))
    return f"{count} training" + ("s" if count > 1 else "")


def _value(summary: Summary, measure: str) -> str:
    return _strong(f"{summary.mean[measure]:.3f} ± {summary.spread[measure]:.3f}", summary.method)


def _less(item: Mapping[str, Any] | None) -> str:
    """Return a difference and its interval as text. A clear difference is bold and followed by its verdict.

    An asterisk marks an interval over the seeds alone. If there is no comparison, the text is empty.
    """
    if item is None:
        return ""
    text = f"{item['difference']:+.3f}"
    if item["low"] is not None:
        text += f" ({item['low']:+.3f} to {item['high']:+.3f})" + ("*" if item["over"] == "seeds" else "")
    shown = item["verdict"].partition(" ")[0]
    return f"**{text}, {shown}**" if shown in ("better", "worse") else text


def _strong(text: str, name: str) -> str:
    return f"**{text}**" if name in ("srs", EQUAL_ITERATIONS) else text


def correlation_table(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a Markdown table of rank correlations, with one row per measure and the strongest first."""
    columns = [
        (dataset["results"][0].partition("_")[0], keep, words, dataset)
        for dataset in found["datasets"]
        for keep, words in dataset["keeps"].items()
        if any(row["keep"] == keep for row in dataset["correlations"])
    ]
    texts: dict[str, list[str]] = {}
    strength: dict[str, list[float]] = {}
    for place, (_, keep, _, dataset) in enumerate(columns):
        for row in dataset["correlations"]:
            if row["keep"] == keep:
                rho, low, high = (fixed(row[name], 2, sign=True) for name in ("rho", "low", "high"))
                text = f"{rho} ({low} to {high})"
                texts.setdefault(row["measure"], [""] * len(columns))[place] = text
                strength.setdefault(row["measure"], []).append(abs(row["rho"]))
    yield "| measure | " + " | ".join(f"{name}, keep {words}" for name, _, words, _ in columns) + " |"
    yield "|---|" + "---|" * len(columns)
    for measure in sorted(texts, key=lambda name: (-math.fsum(strength[name]) / len(strength[name]), name)):
        yield f"| {PREDICTORS.get(measure, measure.replace('_', ' '))} | " + " | ".join(texts[measure]) + " |"


def predictor_table(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a Markdown table of predictors, with one row for each dataset and keep on which they were
    tried.
    """
    yield "| tried on | built on | predictor | rank correlation there | between two seeds |"
    yield "|---|---|---|---|---|"
    for dataset in found["datasets"]:
        terms = ", ".join(
            f"{fixed(weight, 2, sign=True)} {PREDICTORS.get(name, name.replace('_', ' '))}"
            for name, weight in sorted(dataset["weights"].items(), key=lambda item: -abs(item[1]))
        )
        built = f"{', '.join(dataset['built_on'])} ({fixed(dataset['rho_built'], 2, sign=True)})"
        for row in dataset["tried"]:
            rho, low, high = (fixed(row[name], 2, sign=True) for name in ("rho", "low", "high"))
            repeated = "" if row["repeated"] is None else fixed(row["repeated"], 2, sign=True)
            cells = [f"{dataset['tried_on']}, keep {row['keep']}", built, terms, f"{rho} ({low} to {high})", repeated]
            yield "| " + " | ".join(cells) + " |"


def with_tables(text: str) -> str:
    """Return the text of docs/results.md, in which new tables replace the old tables between the markers."""

    def replacement(match: re.Match[str]) -> str:
        studies = {"correlations": correlation_table, "predictor": predictor_table}
        result = study_of(match[2]) if match[3] in studies else result_of(match[2])
        special = {"Wh": cost_table, **studies}.get(match[3])
        lines = table(result, match[3]) if special is None else special(result)
        return f"{match[1]}\n" + "\n".join(lines) + f"\n\n{match[4]}"

    return MARKED.sub(replacement, text)


def result_of(name: str) -> dict[str, Any]:
    """Return the result of an experiment, stored as docs/results/NAME.json."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def study_of(name: str) -> dict[str, Any]:
    """Return the result of a study, stored as docs/results/studies/NAME.json."""
    found: dict[str, Any] = json.loads((RESULTS / "studies" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _cells_of(name: str, *labels: str) -> list[dict[str, Any]]:
    return [cell for cell in result_of(name)["cells"] if cell["label"] in labels]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--keep", type=Path, metavar="LEDGER", help="keep the cells of this ledger, under the name of its folder"
    )
    parser.add_argument("--processes", type=int, default=1, help="number of processes that shared the cells")
    parser.add_argument("--also", nargs="+", metavar="NAME", help="a kept result, and labels of its cells to add")
    parser.add_argument("--note", default="", help="further facts about this run")
    parser.add_argument("--compare", metavar="NAME", help="print the comparisons of a kept result, in mAP50")
    options = parser.parse_args(arguments)
    if options.compare:
        print(*in_words(*over_seeds(result_of(options.compare), "mAP50")), sep="\n")
        return
    if options.keep:
        name = options.keep.absolute().name
        command = f"detreduce run configs/{name}.yaml"
        also = _cells_of(*options.also) if options.also else ()
        found = kept(Ledger(options.keep), options.processes, command, options.note, also)
        (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
