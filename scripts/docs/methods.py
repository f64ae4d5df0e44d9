"""A page for each method, docs/methods/NAME.md, and their index, from what the classes declare and their docstrings.

    python scripts/docs/methods.py [--output docs/methods]

The pictures are drawn by scripts/pictures/methods.py.
"""

from __future__ import annotations

import argparse
import inspect
import re
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from detreduce.features.blocks import kinds_of
from detreduce.reducers import reducer_class
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.description import SYMBOLS, Description, describe, shown
from detreduce.reducers.registry import BUILT_IN

PAGES = Path(__file__).resolve().parent.parent.parent / "docs" / "methods"
GENERATED = "<!-- made by scripts/docs/methods.py from the class: change its docstring, not this page -->"

NEEDS = {
    "features": "features of each image",
    "categories": "categories",
    "objects": "labels",
    "object_vectors": "a vector for each box (the block `objects`)",
    "dynamics": "the log of a [proxy training](../composing.md#a-proxy-training)",
    "gradients": "the log and the weights of a [proxy training](../composing.md#a-proxy-training)",
}
FAMILIES = {
    "baseline": "what people do without a tool",
    "statistic": "by the statistics of the whole",
    "geometric": "by distances between features",
    "ranking": "a score for each image by itself",
    "wrapper": "by a small classifier",
    "objectwise": "by the objects in the images",
    "training": "by how a detector learns",
}


def page(name: str) -> str:
    """Return the Markdown of a method's page."""
    cls = reducer_class(name)
    found = describe(cls)
    return "\n".join([*_head(cls, found), *_parameters(found), *_use(found), *_source(found)])


def _head(cls: type[BaseReducer], found: Description) -> Iterator[str]:
    yield from (f"# {found.name}", "", GENERATED, "")
    yield from (f"![What {found.name} keeps of the points: a tenth]({found.name}.png)", "")
    yield from _wrapped(f"Keeps what is **{found.keeps}**: {found.summary}.")
    yield ""
    for fact, text in (
        ("Family", f"{found.family}, {FAMILIES[found.family]}."),
        ("Needs", f"{', '.join(NEEDS[need] for need in found.needs) or 'nothing but a list of images'}."),
        ("Cost", f"`{found.cost}`. {SYMBOLS}"),
        ("When it fails", found.fails),
    ):
        yield from _wrapped(f"- **{fact}**: {text}", indent="  ")
    yield from ("", "## How it chooses", "")
    for paragraph in _paragraphs(cls):
        yield from (*_wrapped(paragraph), "")
    yield from (line for trait in found.traits for line in _wrapped(f"- {trait}", indent="  "))
    yield ""


def _parameters(found: Description) -> Iterator[str]:
    yield from ("## Parameters", "", "| parameter | default | |", "|---|---|---|")
    for parameter in found.parameters:
        name = f"`{parameter.option}`, in Python `{parameter.name}`" if parameter.option else f"`{parameter.name}`"
        if parameter.name == "random_state":
            name = "`--seed`, in Python `seed`"
        yield f"| {name} | `{shown(parameter.default)}` | {parameter.text} |"
    yield ""


def _use(found: Description) -> Iterator[str]:
    learns = {"dynamics", "gradients"} & set(found.needs)
    yield from ("## Use it", "")
    if learns:
        yield from ("With `proxy.npz` from a [proxy training](../composing.md#a-proxy-training):", "")
    yield from ("```bash", *_broken(found.example), "```", "", "```python", "import detreduce as dr", "")
    yield 'dataset = dr.load_dataset("data.yaml")'
    source = "dataset"
    if kinds_of(found.needs):
        source = "features"
        proxy = f', blocks=("{learns.pop()}",), proxy="proxy.npz"' if learns else ""
        yield f"features = dr.extract_features(dataset{proxy})"
    own = [word.split("=", 1) for word in shlex.split(found.example) if re.match(r"\w+=", word)]
    defaults = {parameter.name: parameter.default for parameter in found.parameters}
    parameters = "".join(f", {parameter}={_quoted(defaults[parameter])}" for parameter, _ in own)
    yield f'selection = dr.select({source}, method="{found.name}", keep=0.25, seed=0{parameters})'
    yield from ("print(selection, selection.image_ids[:3])", "```", "")


def _source(found: Description) -> Iterator[str]:
    yield from ("## Source", "")
    yield from _wrapped(f"{linked(found.source)}. Code: `{BUILT_IN[found.name]}`.")
    yield ""


def index() -> str:
    """Return the Markdown of the list of methods."""
    lines = ["# Methods", "", GENERATED, ""]
    lines += _wrapped(
        "Each picture shows the same points, of three categories, and strongly the tenth of them that the method "
        "keeps. Which to try first is in [Choosing a method](../choosing.md)."
    )
    lines += ["", "| | method | keeps | needs |", "|---|---|---|---|"]
    for name in BUILT_IN:
        found = describe(reducer_class(name))
        needs = ", ".join(found.needs) or "nothing"
        picture = f"[![What {name} keeps]({name}.png)]({name}.md)"
        lines.append(f"| {picture} | [{name}]({name}.md) | **{found.keeps}**: {found.summary} | {needs} |")
    return "\n".join([*lines, ""])


def linked(text: str) -> str:
    """Return a source with its arXiv numbers and DOIs as links."""
    text = re.sub(r"\barXiv (\d{4}\.\d{4,5})", r"[arXiv \1](https://arxiv.org/abs/\1)", text)
    # a DOI may hold parentheses, in pairs, and stands in parentheses here
    doi = r"\bdoi (10\.\d+/(?:\([^()\s]*\)|[^()\s])+)"
    return re.sub(doi, lambda match: f"[doi {match[1]}](<https://doi.org/{match[1]}>)", text)


def _paragraphs(cls: type) -> list[str]:
    """Return the docstring above its sections, as Markdown: its single backquotes mean code there too."""
    text = re.split(r"\n[A-Z]\w+\n-{3,}\n", inspect.getdoc(cls) or "")[0]
    return [" ".join(re.sub(r"\b(\w+_) ", r"`\1` ", part).split()) for part in text.split("\n\n") if part.strip()]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _broken(command: str) -> list[str]:
    """Return a command in lines that fit beside the navigation."""
    lines = textwrap.wrap(command, 100, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def pages() -> dict[str, str]:
    """Return every generated page by its file's name."""
    return {"index.md": index(), **{f"{name}.md": page(name) for name in BUILT_IN}}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=PAGES, help="folder for the pages")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (options.output / name).write_text(text, encoding="utf-8")
        print(options.output / name)


if __name__ == "__main__":
    main()
