"""Draw texts of the repository at random for a reader, and count sentences that are too long and listed words.

    python scripts/docs/readings.py draw --seed 7          # prints 60 docstrings, 30 messages and 5 pages
    python scripts/docs/readings.py list detreduce/images  # prints every text of a folder or file
    python scripts/docs/readings.py count                  # counts long sentences and listed words in the whole tree

docs/contributing.md has the rule for when a reader marks a text. `count` applies points 1 and 3 of this rule, because
they need no reader. It exits with 1 if it marks any text.
"""

from __future__ import annotations

import argparse
import ast
import io
import random
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CODE = ("detreduce", "scripts")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs")

LONGEST, LONGEST_NESTED = 30, 25
"""The largest number of words in a sentence, and in a sentence that has two or more subordinate clauses."""

CLAUSE = re.compile(r"\b(which|that|who|whose|where|when|while|if|because|although|unless|whether)\b", re.IGNORECASE)

END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!vs\.)(?<!et al\.)(?<!approx\.)[\"')*]*\s+")
"""A pattern that matches the end of a sentence."""

LISTED = re.compile(
    r"\b(whence|anew|lest|dear|foretold|foretell|reckon\w*|ought|shall|hence|thereof|wherein|amongst|upon|beside"
    r"|told|said|nobody'?s|likewise|mend\w*|so many|as many|of which|of whom|that of|those of|stands? for|standing for"
    r"|has to itself|have to itself|to get it again|held(?![- ]out)|at hand|as it were|such as has|by itself alone)\b",
    re.IGNORECASE,
)
"""Words that read as translated, or that this repository used in an odd sense."""

MESSAGE_WORDS = 4
"""A string in the code counts as a message, an option's help or a line of output if it has at least this many words."""

NOT_PROSE = re.compile(r"^\s*[<|]|\\b|\bimport \w+\b.*[;,(]|^train: ", re.DOTALL)
"""A pattern for strings of HTML, Markdown, YAML, Python or regular expressions, which are not prose."""

COMMAND = re.compile(r"(python|scripts/torture/run|detreduce)\b.*(\.py|--|  #|\.(yaml|csv|npz|json))")
"""A pattern for lines in a docstring that are commands."""


@dataclass(frozen=True)
class Text:
    """A text of the repository: its kind, its file, the number of its first line, and its words."""

    kind: str
    """`docstring`, `message`, `comment` or `page`."""
    path: str
    line: int
    words: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"


def texts(roots: Iterable[str] = (*CODE, *PAGES)) -> Iterator[Text]:
    """Yield every text in these files and folders, in the order of their paths."""
    for root in roots:
        top = ROOT / root
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            name = path.relative_to(ROOT).as_posix()
            if path.suffix == ".py":
                yield from _of_code(path.read_text(encoding="utf-8"), name)
            elif path.suffix == ".md":
                yield Text("page", name, 1, path.read_text(encoding="utf-8"))


def _of_code(source: str, name: str) -> Iterator[Text]:
    docstrings: set[int] = set()
    for node in ast.walk(tree := ast.parse(source)):
        for statement in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                docstrings.add(id(value))
                yield Text("docstring", name, value.lineno, _dedent(value.value))
    for line, words in _strings(tree, docstrings):
        fixed = re.sub(r"\{[^{}]*\}", "", words)
        enough = len(re.findall(r"[A-Za-z]{2,}", fixed)) >= MESSAGE_WORDS and " " in fixed.strip()
        if enough and not NOT_PROSE.search(words):
            yield Text("message", name, line, words)
    yield from _comments(source, name)


def _dedent(words: str) -> str:
    first, *rest = words.splitlines() or [""]
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return "\n".join([first.strip(), *(line[margin:].rstrip() for line in rest)]).strip()


def _strings(node: ast.AST, skipped: set[int]) -> Iterator[tuple[int, str]]:
    """Yield the line number and the words of every string below an AST node.

    `skipped` are the ids of nodes to leave out. In the words of an f-string, `{name}` shows where a value is inserted.
    """
    if isinstance(node, ast.JoinedStr):
        parts = [
            ast.unparse(part.value) if isinstance(part, ast.FormattedValue) else part.value for part in node.values
        ]
        inserted = [isinstance(part, ast.FormattedValue) for part in node.values]
        yield node.lineno, "".join(f"{{{part}}}" if it else part for part, it in zip(parts, inserted, strict=True))
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from _strings(child, skipped)


def _comments(source: str, name: str) -> Iterator[Text]:
    block: list[str] = []
    start = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        words = token.string.lstrip("#: ")
        if token.type != tokenize.COMMENT or words.startswith(("noqa", "type:", "!/", "fmt:", "pragma")):
            continue
        alone = not token.line[: token.start[1]].strip()
        if block and (token.start[0] != last + 1 or not alone):
            yield Text("comment", name, start, " ".join(block))
            block = []
        start = start if block else token.start[0]
        last = token.start[0]
        block.append(words)
    if block:
        yield Text("comment", name, start, " ".join(block))


def sentences(text: Text) -> Iterator[tuple[int, str]]:
    """Yield each sentence of a text with its line number, without code blocks, lines of tables and addresses of
    links.
    """
    for line, paragraph in _paragraphs(text):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", paragraph)
        plain = re.sub(r"``?[^`]+``?|\{[^{}]*\}|<[^<>]+>", " x ", plain)
        yield from ((line, sentence) for sentence in END.split(re.sub(r"\s+", " ", plain).strip()) if sentence)


def _paragraphs(text: Text) -> Iterator[tuple[int, str]]:
    """Yield each paragraph, list item and table row of a text, with its line number."""
    block: list[str] = []
    start, indent, fenced = text.line, 0, False
    for number, line in enumerate([*text.words.splitlines(), ""], text.line):
        bare = line.strip()
        item = re.match(r"\s*([-*]|\d+\.)\s+", line)
        deep = len(item.group(0)) if item else len(line) - len(line.lstrip())
        command = text.kind == "docstring" and COMMAND.match(bare)
        apart = not bare or item or command or bare.startswith(("```", "|", "#", ">>>", "<!--", "!!!", "---", "==="))
        if block and (apart or (text.kind == "docstring" and deep != indent)):
            yield start, " ".join(block)
            block = []
        if bare.startswith("```"):
            fenced = not fenced
        elif not fenced and (bare.startswith("|") or re.search(r"\w {2,}\w", bare)):
            yield from ((number, cell) for cell in re.split(r"(?<!\\)\|| {2,}", bare) if re.search(r"\w", cell))
        elif bare and not fenced and not command and not bare.startswith((">>>", "<!--", "---", "===")):
            start = start if block else number
            indent = deep
            block.append(line[len(item.group(0)) :] if item else bare.lstrip("# "))


def marks(text: Text) -> list[tuple[str, str]]:
    """Return the marks that do not need a reader: long sentences and listed words. A mark is a place and a reason.

    The place is the line of a paragraph, a list item or a table row. Marks on pages are counted in these units.
    """
    found = []
    for line, sentence in sentences(text):
        words = [word for word in sentence.split() if re.search(r"\w", word)]
        nested = len(CLAUSE.findall(sentence)) >= 2
        if len(words) > (LONGEST_NESTED if nested else LONGEST):
            found.append((f"{text.path}:{line}", f"{len(words)} words: {sentence}"))
        found += [(f"{text.path}:{line}", f"{match.group(0)!r}: {sentence}") for match in LISTED.finditer(sentence)]
    return found


def draw(seed: int, wanted: dict[str, int], roots: Iterable[str] = (*CODE, *PAGES)) -> list[Text]:
    """Return random texts of these files and folders.

    `wanted` has the number of texts of each kind. If a kind has fewer texts, all of them are returned.
    """
    everything = list(texts(roots))
    source = random.Random(seed)
    drawn: list[Text] = []
    for kind, number in wanted.items():
        of_kind = [text for text in everything if text.kind == kind]
        drawn += source.sample(of_kind, min(number, len(of_kind)))
    return drawn


def _print(text: Text) -> None:
    lines = text.words.splitlines() or [""]
    numbered = text.kind == "page"
    shown = (f"{number:5} {line}" if numbered else f"    {line}" for number, line in enumerate(lines, text.line))
    print(f"{text.place}  [{text.kind}]", *shown, "", sep="\n")


def _count(roots: list[str]) -> int:
    read: Counter[str] = Counter()
    marked: Counter[str] = Counter()
    for text in texts(roots):
        found = marks(text)
        kind = "paragraph" if text.kind == "page" else text.kind
        read[kind] += len({line for line, _ in _paragraphs(text)}) if text.kind == "page" else 1
        marked[kind] += len({place for place, _ in found}) if text.kind == "page" else bool(found)
        for place, words in found:
            print(f"{place}  [{text.kind}] {words}")
    for kind, number in read.items():
        print(f"{kind + 's':<11}{number:>6}, marked {marked[kind]:>5} ({marked[kind] / number:.1%})")
    return int(any(marked.values()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw", help="print texts drawn at random")
    drawing.add_argument("--seed", type=int, required=True)
    for kind, number in (("docstring", 60), ("message", 30), ("comment", 0), ("page", 5)):
        drawing.add_argument(
            f"--{kind}s", dest=kind, type=int, default=number, metavar="N", help="default: %(default)s"
        )
    for name, words in (("list", "print every text"), ("count", "count long sentences and listed words")):
        commands.add_parser(name, help=words).add_argument("paths", nargs="*", default=[*CODE, *PAGES])
    options = parser.parse_args()
    if options.command == "count":
        return _count(options.paths)
    if options.command == "list":
        chosen: Iterable[Text] = texts(options.paths)
    else:
        chosen = draw(
            options.seed, {kind: getattr(options, kind) for kind in ("docstring", "message", "comment", "page")}
        )
    for text in chosen:
        _print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
