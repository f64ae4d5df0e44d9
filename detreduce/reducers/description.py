"""What a person is told about a method: what its class declares, and the parameters that its docstring explains."""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detreduce.reducers.base import BaseReducer

COMMON = {"keep": "--keep", "random_state": "--seed"}
"""Parameters of every method, and the options that they are on the command line."""
INHERITED = "See BaseReducer"

SYMBOLS = (
    "n images, n_c of them in one category, k_c of these to keep; C categories, d features. Costs are operations, "
    "without constants."
)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a method.

    Attributes
    ----------
    name, default
        As Python has them.
    text
        Its explanation, on one line; empty where the docstring has none.
    option
        The command line's option for it; "" where it is given as ``name=value``.
    """

    name: str
    default: Any
    text: str
    option: str = ""


@dataclass(frozen=True)
class Description:
    """A method in full.

    Attributes
    ----------
    name, family, keeps, summary, needs, cost, fails, source
        As the class declares them.
    deterministic, nested, order_dependent
        As the class declares them; `traits` says the same in words.
    about
        The docstring above its sections, a paragraph each.
    parameters
        The method's own first, then `keep` and `random_state`.
    example
        A command line that works.
    """

    name: str
    family: str
    keeps: str
    summary: str
    needs: tuple[str, ...]
    cost: str
    fails: str
    source: str
    deterministic: bool
    nested: bool
    order_dependent: bool
    traits: tuple[str, ...]
    about: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    example: str

    def declared(self) -> dict[str, Any]:
        """Return what the class declares, by name: enough to compare methods."""
        longer = ("traits", "about", "parameters", "example")
        return {name: value for name, value in vars(self).items() if name not in longer}


def describe(cls: type[BaseReducer]) -> Description:
    """Describe a method from its class attributes, its signature and its numpydoc docstring."""
    parameters = _parameters(cls)
    return Description(
        name=cls.name,
        family=cls.family,
        keeps=cls.keeps,
        summary=cls.summary,
        needs=tuple(cls.needs),
        cost=cls.cost,
        fails=cls.fails,
        source=cls.source,
        deterministic=cls.deterministic,
        nested=cls.nested,
        order_dependent=cls.order_dependent,
        traits=_traits(cls),
        about=_about(cls),
        parameters=parameters,
        example=_example(cls, parameters),
    )


def documented_parameters(cls: type) -> dict[str, str]:
    """Return name -> explanation from the ``Parameters`` section of a numpydoc docstring; {} where it has none."""
    lines = (inspect.getdoc(cls) or "").splitlines()
    found: dict[str, str] = {}
    for heading, block in _entries(_section(lines, "Parameters")):
        text = _plain(" ".join(block))
        names = [name.strip(" *") for name in heading.partition(":")[0].split(",")]
        found |= dict.fromkeys(names, text)
    return found


def _parameters(cls: type[BaseReducer]) -> tuple[Parameter, ...]:
    from detreduce.reducers.base import BaseReducer

    common = documented_parameters(BaseReducer)
    texts: dict[str, str] = {}
    # methods of one kind may share their parameters, explained at their common base
    for base in reversed(cls.__mro__[: cls.__mro__.index(BaseReducer)]):
        texts |= documented_parameters(base)
    found = []
    for name, parameter in inspect.signature(cls).parameters.items():
        text = texts.get(name, "")
        if name in COMMON and (not text or text.startswith(INHERITED)):
            shared = common[name]
            if name == "random_state" and cls.deterministic and not cls.has_ties:
                shared = "An int, a NumPy generator or None."
            # what a method adds to its reference to the base is about its draws
            own = text.removeprefix(INHERITED).lstrip(".; ") if name == "random_state" else ""
            text = " ".join(part for part in (shared, own[:1].upper() + own[1:]) if part)
        default = None if parameter.default is inspect.Parameter.empty else parameter.default
        found.append(Parameter(name, default, text, COMMON.get(name, "")))
    return tuple(sorted(found, key=lambda parameter: parameter.name in COMMON))


def _traits(cls: type[BaseReducer]) -> tuple[str, ...]:
    return (
        _seed_in_words(cls),
        "What it keeps at a smaller keep is the beginning of what it keeps at a larger one."
        if cls.nested
        else "Each keep is a new choice: a smaller one is no part of a larger one.",
        "It goes by the order of the images." if cls.order_dependent else "It does not go by the order of the images.",
        "Every category gets its share of the images."
        if cls.uses_categories
        else "Categories get no fixed share of the images.",
    )


def _seed_in_words(cls: type[BaseReducer]) -> str:
    if not cls.deterministic:
        return "Another seed gives other images: try several seeds."
    return "The seed decides nothing but ties." if cls.has_ties else "The seed decides nothing."


def _about(cls: type) -> tuple[str, ...]:
    lines = (inspect.getdoc(cls) or "").splitlines()
    underlines = [row for row, line in enumerate(lines) if _is_underline(line)]
    text = "\n".join(lines[: underlines[0] - 1] if underlines else lines)
    return tuple(_plain(paragraph) for paragraph in text.split("\n\n") if paragraph.strip())


def _example(cls: type[BaseReducer], parameters: tuple[Parameter, ...]) -> str:
    command = f"detreduce reduce data.yaml --method {cls.name} --keep 0.25 --output reduced/"
    if not {"dynamics", "gradients"}.isdisjoint(cls.needs):
        command += " --proxy proxy.npz"
    for parameter in parameters:
        if not parameter.option and isinstance(parameter.default, str | int | float):
            return f"{command} {parameter.name}={shown(parameter.default)}"
    return command


def shown(default: Any) -> str:
    """Return a default as YAML, so the command line, writes it."""
    return {"None": "null", "True": "true", "False": "false"}.get(str(default), str(default))


def _section(lines: list[str], title: str) -> list[str]:
    """Return the lines below a heading, up to the next one."""
    starts = [row for row, line in enumerate(lines) if line.strip() == title and _is_underline(_at(lines, row + 1))]
    if not starts:
        return []
    body = lines[starts[0] + 2 :]
    ends = [row - 1 for row, line in enumerate(body) if _is_underline(line)]
    return body[: ends[0]] if ends else body


def _entries(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Return (heading, indented lines below it) for each entry of a section."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.strip() and not line.startswith(" "):
            found.append((line, []))
        elif found:
            found[-1][1].append(line.strip())
    return found


def _at(lines: list[str], row: int) -> str:
    return lines[row] if row < len(lines) else ""


def _is_underline(line: str) -> bool:
    return len(line.strip()) > 2 and not line.strip("- ")


def _plain(text: str) -> str:
    """Return text on one line, without the marks of reStructuredText."""
    text = re.sub(r"(?<!\S)\*(\S[^*\n]*\S)\*(?!\w)", r"\1", " ".join(textwrap.dedent(text).split()))
    return text.replace("`", "")
