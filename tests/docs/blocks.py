"""Find the fenced blocks of a Markdown page, and the comments above them.

A block is run, unless a comment right above it says why not: ``<!-- not run: takes two hours -->``. A block below
``<!-- fails -->`` must fail. A ``text`` block shows the output of the block above it. A ``text`` block below ``<!--
message -->`` shows a message of the program. ``...`` matches any text.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?(?P<rest>[^\n]*)\n(?P<code>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
MARK = re.compile(r"<!-- *(not run|fails|message)(?:: *((?:(?!-->).)*?))? *-->\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the file in its title, its code, the mark above it and the reason in the mark."""

    language: str
    title: str
    code: str
    mark: str
    reason: str
    line: int
    odd: str = ""


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    found = []
    for match in FENCE.finditer(text):
        above = MARK.search(text[: match.start()])
        found.append(
            Block(
                match["language"],
                match["title"] or "",
                match["code"],
                above[1] if above else "",
                (above[2] or "") if above else "",
                text.count("\n", 0, match.start()) + 1,
                match["indent"] + match["rest"].strip(),
            )
        )
    return found


def commands(code: str) -> list[str]:
    """Return the lines of a shell script without comments; lines that end with a backslash are joined."""
    lines = (line.strip() for line in code.replace("\\\n", " ").splitlines())
    return [re.sub(r"\s+#.*", "", line) for line in lines if line and not line.startswith("#")]


def shows(expected: str, output: str) -> bool:
    """Return whether the output contains the expected lines. Line breaks do not matter."""
    parts = [re.escape(" ".join(part.split())) for part in expected.split("...") if part.strip()]
    return re.search(".*?".join(parts), " ".join(output.split())) is not None


def texts_of(package: Path) -> str:
    """Return every text in the code of a package, with the fixed parts of f-strings, to look up messages."""
    found = []
    for file in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(" ".join(text.split()) for text in found)
