"""Write docs/commands.md, the reference of the commands, and docs/llms.txt, from the program.

    python scripts/docs/commands.py

llms.txt follows llmstxt.org: a title, a summary, details, and lists of links. Programs with a language model read it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from detreduce.cli import app
from detreduce.cli.contracts import CONTRACTS, Contract
from detreduce.cli.exit_codes import CODES
from detreduce.cli.help import GROUPS, OUTPUT

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGE, INDEX = DOCS / "commands.md", DOCS / "llms.txt"


def commands(group: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield the name and the object of each command, in the order of the help. A group is not a command."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


def usage(name: str, command: Any) -> str:
    """Return the usage line of a command."""
    context = typer.Context(command, info_name=f"detreduce {name}")
    return " ".join([f"detreduce {name}", *command.collect_usage_pieces(context)])


def inputs(command: Any) -> list[str]:
    """Return the required inputs of a command: its arguments and its required options."""
    found = []
    for parameter in command.params:
        if parameter.required:
            word = parameter.metavar or parameter.name.upper()
            option = f"{max(parameter.opts, key=len)} " if parameter.param_type_name == "option" else ""
            found.append(f"{option}{word}")
    return found


def page() -> str:
    """Return the text of the reference."""
    lines = [
        "# Reference of the commands",
        "",
        "Every command, its inputs and its contract: the main keys of its JSON (`--json`), what it writes, and what it",
        "never changes. `detreduce NAME --help` prints the same options. [The command line](command-line.md) explains",
        "exit codes and errors. `scripts/docs/commands.py` makes this page.",
    ]
    for name, command in commands():
        lines += ["", f"## {name}", "", *_paragraphs(command.help), "", f"Usage: `{usage(name, command)}`", ""]
        lines += [f"Example: `{example}`" for example in command.examples[:1]]
        lines += ["", *_options(command), "", *_contract(CONTRACTS[name])]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> list[str]:
    """Return a help text as lines of at most 120 characters. Words with special characters become code."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        lines += ["", *textwrap.wrap(" ".join(paragraph.split()), 120)]
    return lines[1:]


def _options(command: Any) -> list[str]:
    """Return the table of the arguments and options of a command."""

    def place(option: Any) -> int:
        return GROUPS.index(getattr(option, "rich_help_panel", None) or OUTPUT)

    context = typer.Context(command)
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and one.name not in ("as_json", "help")]
    rows = ["| input | meaning |", "|---|---|"]
    for one in [*arguments, *sorted(options, key=place)]:
        record = one.get_help_record(context)
        name = (one.metavar or one.name.upper()) if one in arguments else record[0]
        meaning = " ".join(record[1].split()).replace("*", "\\*").replace("<", "&lt;")
        # a vertical bar would end the cell
        rows.append(f"| `{name.replace('|', '/')}` | {meaning.replace('|', '/')} |")
    return rows


def _contract(contract: Contract) -> list[str]:
    """Return the contract of a command: a table of the keys of its JSON, and a list."""
    keys = [f"| `{key}` | {words} |" for key, words in contract.prints.items()]
    table = ["| key of the JSON | content |", "|---|---|", *keys, ""] if keys else []
    other = "Other JSON" if keys else "JSON"
    found = [f"**{other}:** {contract.also}"] if contract.also else []
    found += [f"**Writes:** {contract.writes}.", f"**Never changes:** {contract.keeps}."]
    return [*table, *(line for text in found for line in textwrap.wrap(f"- {text}", 120, subsequent_indent="  "))]


def index() -> str:
    """Return the text of llms.txt."""
    summary = (
        "detreduce cleans an object-detection dataset, chooses the images that matter, and trains for less. It is a "
        "command line and a Python package for YOLO, COCO, Pascal VOC, Label Studio and CVAT."
    )
    details = [
        "Every command has `--json`: stdout is then one JSON document. If the command fails, the document is "
        '`{"error": {"kind": ..., "message": ..., "exit_code": ...}}`. Messages go to stderr.',
        f"Exit codes of every command: {CODES}.",
        "No command changes a dataset. Outputs are new files or folders. An existing output is an error, unless "
        "`--overwrite` is given and detreduce wrote the output.",
        "Files of weights (.pt) can run code. Name only files that you trust.",
        "`detreduce mcp --root FOLDER` serves inspect, reduce, explain and plan over the Model Context Protocol.",
    ]
    lines = ["# detreduce", "", f"> {summary}", "", *(f"- {detail}" for detail in details), "", "## Commands", ""]
    for name, command in commands():
        lines.append(f"- [detreduce {name}](commands.md#{name.replace(' ', '-')}): {_in_one_line(name, command)}")
    lines += ["", "## Pages", ""]
    return "\n".join([*lines, *_pages()]) + "\n"


def _in_one_line(name: str, command: Any) -> str:
    """Return what a command does and its contract, as one line."""
    contract = CONTRACTS[name]
    does = " ".join(command.help.split("\n\n")[0].split())
    keys = f"JSON keys: {', '.join(contract.prints)}. " if contract.prints else ""
    return (
        f"{does} Input: {', '.join(inputs(command)) or 'nothing'}. {keys}{contract.also}{' ' * bool(contract.also)}"
        f"Writes: {contract.writes}. Never changes: {contract.keeps}."
    )


def _pages() -> list[str]:
    """Return a list of the pages of the documentation, except the pages of the methods."""
    navigation = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    found = []
    for path in re.findall(r"[\w/-]+\.md", navigation):
        if path == "commands.md" or (path.startswith("methods/") and path != "methods/index.md"):
            continue
        words = (DOCS / path).read_text(encoding="utf-8")
        title = re.search(r"^# (.+)$", words, re.MULTILINE)
        found.append(f"- [{title[1] if title else path}]({path})")
    return found


def main() -> None:
    """Write both files."""
    PAGE.write_text(page(), encoding="utf-8")
    INDEX.write_text(index(), encoding="utf-8")


if __name__ == "__main__":
    main()
