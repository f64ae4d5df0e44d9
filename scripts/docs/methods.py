"""Write the pages about the methods from their classes: a page for each method, and the list of all methods.

    python scripts/docs/methods.py

scripts/methods.py runs this script, and also draws the pictures.
"""

from __future__ import annotations

import inspect
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

from docstring_parser import numpydoc

from detreduce.features.blocks import kinds_of
from detreduce.reducers import reducer_class
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.description import MethodDescription, describe, explain_symbols, shown
from detreduce.reducers.registry import BUILT_IN

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PAGES = REPOSITORY / "docs" / "methods"
NAVIGATION = REPOSITORY / "mkdocs.yml"
GENERATED = "<!-- scripts/methods.py writes this page. To change it, edit the docstring of the class. -->"
PAGE_LIST = ("      # methods: made by scripts/methods.py", "      # /methods")
IMAGE_CATEGORIES = "../choosing.md#categories"
BASE_CLASSES = "../api.md#base-classes"

NEEDS = {
    "features": "features of each image",
    "categories": f"[image categories]({IMAGE_CATEGORIES})",
    "objects": "labels (boxes and their classes)",
    "object_vectors": "a feature vector for each box (the block `objects`)",
    "dynamics": "the log of a [proxy training](../composing.md#a-proxy-training)",
    "gradients": "the log and the weights of a [proxy training](../composing.md#a-proxy-training)",
    "uncertainty": "a [detector](../videos.md#with-a-detector) (`--detector`)",
    "disagreement": "a [detector](../videos.md#with-a-detector) (`--detector`)",
}
SHORT_NEEDS = {
    "features": "features",
    "categories": "image categories",
    "objects": "labels",
    "object_vectors": "features of boxes",
    "dynamics": "a proxy training",
    "gradients": "a proxy training",
    "uncertainty": "a detector",
    "disagreement": "a detector",
}
FAMILIES = {
    "baseline": "The method does what people often do without a tool",
    "statistic": "The method uses statistics of all images",
    "geometric": "The method uses distances between the features of images",
    "ranking": "The method gives each image a separate score",
    "wrapper": "The method trains a small classifier",
    "objectwise": "The method uses the objects in the images",
    "training": "The method uses the progress of a detector during a training",
    "detector": "The method uses the boxes that a detector predicts, and needs no labels",
}


def page(name: str) -> str:
    """Return the Markdown of the page about the method `name`."""
    cls = reducer_class(name)
    method = describe(cls)
    return "\n".join([*_head(cls, method), *_parameters(method), *_use(method), *_source(method)])


def _head(cls: type[BaseReducer], method: MethodDescription) -> Iterator[str]:
    yield from (f"# {method.name}", "", GENERATED, "")
    yield from (f"![Scatter plot of points; {method.name} keeps a tenth of them]({method.name}.png)", "")
    yield from _wrapped(f"**{_sentence(method.keeps)}** The method keeps {method.summary}.")
    yield ""
    for fact, text in (
        ("Family", f"{method.family}. {FAMILIES[method.family]}."),
        ("Needs", f"{', '.join(NEEDS[need] for need in method.needs) or 'only a list of images'}."),
        ("Cost", f"`{method.cost}`. {explain_symbols(method.cost)}"),
        ("When it fails", method.fails),
    ):
        yield from _wrapped(f"- **{fact}**: {text}", indent="  ")
    yield from ("", "## How the method chooses", "")
    explanation = "\n".join([*_paragraphs(cls), *(f"- {trait}" for trait in method.traits)])
    explanation = _link_scores(_link_categories(explanation))
    for line in explanation.split("\n"):
        if line.startswith("- "):
            yield from _wrapped(line, indent="  ")
        else:
            yield from (*_wrapped(line), "")
    yield ""


def _sentence(text: str) -> str:
    """Return the text with a capital first letter and a full stop at the end."""
    return f"{text[:1].upper()}{text[1:]}."


def _link_categories(text: str) -> str:
    """Return the text, in which the first "image category" links to the page that explains image categories."""
    return re.sub(r"\b[Ii]mage categor(?:y|ies)\b", lambda match: f"[{match[0]}]({IMAGE_CATEGORIES})", text, count=1)


def _link_scores(text: str) -> str:
    """Return the text, in which the first `scores_` links to the page that explains this attribute."""
    return text.replace("`scores_`", f"[`scores_`]({BASE_CLASSES})", 1)


def _parameters(method: MethodDescription) -> Iterator[str]:
    yield from ("## Parameters", "", "| parameter | default | meaning |", "|---|---|---|")
    for parameter in method.parameters:
        name = f"`{parameter.option}`, in Python `{parameter.name}`" if parameter.option else f"`{parameter.name}`"
        if parameter.name == "random_state":
            name = "`--seed`, in Python `seed`"
        yield f"| {name} | `{shown(parameter.default)}` | {parameter.text} |"
    yield ""


def _use(method: MethodDescription) -> Iterator[str]:
    learns = {"dynamics", "gradients"} & set(method.needs)
    yield from ("## Use the method", "")
    if {"uncertainty", "disagreement"} & set(method.needs):
        yield from ("With the weights of a detector, for instance one that was trained on other images:", "")
    if learns:
        yield from ("With `proxy.npz` from a [proxy training](../composing.md#a-proxy-training):", "")
    yield from ("```bash", *_broken(method.example), "```", "", "```python", "import detreduce as dr", "")
    yield 'dataset = dr.load_dataset("data.yaml")'
    scored = {"uncertainty", "disagreement"} & set(method.needs)
    if scored:
        mirrored = ", mirrored=True" if "disagreement" in scored else ""
        yield f'predicted = dr.predict_boxes(dataset, "detector.pt"{mirrored})'
    source = "dataset"
    if kinds_of(method.needs):
        source = "features"
        proxy = f', blocks=("{learns.pop()}",), proxy="proxy.npz"' if learns else ""
        images = "predicted" if scored else "dataset"
        block = f', blocks=("{scored.pop()}",)' if scored else ""
        yield f"features = dr.extract_features({images}{proxy}{block})"
    own = [word.split("=", 1) for word in shlex.split(method.example) if re.match(r"\w+=", word)]
    defaults = {parameter.name: parameter.default for parameter in method.parameters}
    parameters = "".join(f", {parameter}={_quoted(defaults[parameter])}" for parameter, _ in own)
    yield f'selection = dr.select({source}, method="{method.name}", keep=0.25, seed=0{parameters})'
    yield from ("print(selection, selection.image_ids[:3])", "```", "")


def _source(method: MethodDescription) -> Iterator[str]:
    yield from ("## Source", "")
    yield from _wrapped(f"{linked(method.source)}. Code: `{BUILT_IN[method.name]}`.")
    yield ""


def index() -> str:
    """Return the Markdown of the page that lists all methods."""
    lines = ["# Methods", "", GENERATED, ""]
    lines += _wrapped(
        "Each picture shows the same points in three image categories. Each method keeps a tenth of the points: these "
        "have strong colours. [Choosing a method](../choosing.md) says which method to try first."
    )
    lines += ["", "| | method | keeps | needs | cost | when it fails |", "|---|---|---|---|---|---|"]
    for name in BUILT_IN:
        cls = reducer_class(name)
        picture = f"[![Points that {name} keeps]({name}.png)]({name}.md)"
        cells = (picture, f"[`{name}`]({name}.md)", _keeps(cls), _needs(cls), f"`{cls.cost}`", cls.fails)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += ["", *_wrapped(f"Symbols in the costs: {explain_symbols()}"), ""]
    lines += _wrapped(
        "Each method is a scikit-learn estimator in `detreduce.reducers`. Your own package can add methods: see "
        "[adding a method](../adding-a-method.md)."
    )
    return "\n".join([*lines, ""])


def page_list() -> str:
    """Return the lines in the navigation of mkdocs.yml that list the pages of the methods."""
    return "\n".join(f"      - methods/{name}.md" for name in BUILT_IN)


def between(text: str, markers: tuple[str, str], content: str) -> str:
    """Return the text, in which `content` replaces the lines between the two markers."""
    before, begin, rest = text.partition(markers[0])
    _, end, after = rest.partition(markers[1])
    if not (begin and end):
        raise SystemExit(f"The markers {markers[0].strip()} and {markers[1].strip()} are missing.")
    return f"{before}{begin}\n{content}\n{end}{after}"


def texts() -> dict[Path, str]:
    """Return the path of every generated page, and its new text."""
    return {
        **{PAGES / f"{name}.md": page(name) for name in BUILT_IN},
        PAGES / "index.md": index(),
        NAVIGATION: between(NAVIGATION.read_text(encoding="utf-8"), PAGE_LIST, page_list()),
    }


def _keeps(cls: type[BaseReducer]) -> str:
    return f"**{cls.keeps}**: {cls.summary}"


def _needs(cls: type[BaseReducer]) -> str:
    return ", ".join(SHORT_NEEDS[need] for need in cls.needs) or "a list of images"


def linked(text: str) -> str:
    """Return the source of a method, in which arXiv numbers and DOIs are Markdown links."""
    text = re.sub(r"\barXiv (\d{4}\.\d{4,5})", r"[arXiv \1](https://arxiv.org/abs/\1)", text)
    # in this text a DOI is in parentheses, and it may itself contain pairs of parentheses
    doi = r"\bdoi (10\.\d+/(?:\([^()\s]*\)|[^()\s])+)"
    return re.sub(doi, lambda match: f"[doi {match[1]}](<https://doi.org/{match[1]}>)", text)


def _paragraphs(cls: type) -> list[str]:
    """Return the paragraphs of a class's docstring, above its first numpydoc section, each as one line of Markdown."""
    text = numpydoc.parse(inspect.getdoc(cls) or "").description or ""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return [re.sub(r"\b(\w+_) ", r"`\1` ", part) for part in paragraphs]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _broken(command: str) -> list[str]:
    """Return a shell command as lines of at most 100 characters, with a backslash at the end of all but the last."""
    lines = textwrap.wrap(command, 100, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def main() -> None:
    for file, text in texts().items():
        file.write_text(text, encoding="utf-8")
        print(file)


if __name__ == "__main__":
    main()
