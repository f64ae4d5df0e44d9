"""Mix docstrings of detreduce with docstrings of well-known packages, for a reader who does not know which is which.

    python scripts/docs/blind_reading.py draw --seed 7 --items items.md --key key.json
    python scripts/docs/blind_reading.py score --key key.json reader1.json reader2.json

`draw` writes 60 docstrings of detreduce and 60 of the other packages, each with its signature, in random order. A
reader gets items.md, the rule in docs/contributing.md and the lists of words. The reader writes a JSON file. It says
for each item whether the rule marks it (`marked`), and whether a sentence had to be read twice (`twice`). `score`
counts both for detreduce and for the other packages.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

OURS = "detreduce"
OTHERS = {"sklearn": 20, "ultralytics": 14, "torchvision": 10, "pydantic": 8, "rich": 8}
"""The number of docstrings of each other package."""
NUMBER = 60
LONGEST = 14
"""The maximum number of lines of an item. A longer docstring is cut."""
SKIPPED = ("tests", "externals", "_vendor")
"""Folders of packages that are not read."""


def docstrings(package: str) -> Iterator[tuple[str, str, str]]:
    """Yield the place, the signature and the text of every docstring of an installed package."""
    spec = find_spec(package)
    assert spec and spec.submodule_search_locations, f"{package} is not installed"
    root = Path(spec.submodule_search_locations[0])
    for file in sorted(root.rglob("*.py")):
        if set(file.relative_to(root).parts) & set(SKIPPED):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                continue
            text = re.sub(r">>>.*?(?=\n\n|\Z)", "", ast.get_docstring(node) or "", flags=re.DOTALL).strip()
            if len(text.split()) >= 4:
                place = f"{package}/{file.relative_to(root).as_posix()}:{getattr(node, 'lineno', 1)}"
                yield place, _signature(node, file), "\n".join(text.split("\n")[:LONGEST])


def _signature(node: ast.Module | ast.ClassDef | ast.FunctionDef, file: Path) -> str:
    if isinstance(node, ast.FunctionDef):
        returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        return f"def {node.name}({ast.unparse(node.args)}){returned}"
    return f"class {node.name}" if isinstance(node, ast.ClassDef) else f"module {file.stem}"


def draw(seed: int) -> tuple[str, dict[str, str]]:
    """Return the items as Markdown, and the place of each item, keyed by its number."""
    source = random.Random(seed)
    chosen = [
        item
        for package, number in {OURS: NUMBER, **OTHERS}.items()
        for item in source.sample(list(docstrings(package)), number)
    ]
    source.shuffle(chosen)
    texts = [f"## Item {number}\n`{signature}`\n\n{text}\n" for number, (_, signature, text) in enumerate(chosen, 1)]
    # the name would show which docstrings are ours
    items = re.sub(OURS, "package", "\n".join(texts), flags=re.IGNORECASE)
    return items, {str(number): place for number, (place, _, _) in enumerate(chosen, 1)}


def score(key: dict[str, str], reader: dict[str, dict[str, bool]]) -> dict[str, dict[str, float]]:
    """Return the shares of items that a reader marked and read twice, for detreduce and for the other packages."""
    sides: dict[str, list[str]] = {OURS: [], "others": []}
    for number, place in key.items():
        sides[OURS if place.startswith(f"{OURS}/") else "others"].append(number)
    return {
        side: {
            what: sum(bool(reader[number][what]) for number in numbers) / len(numbers) for what in ("marked", "twice")
        }
        for side, numbers in sides.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    drawing, scoring = commands.add_parser("draw"), commands.add_parser("score")
    drawing.add_argument("--seed", type=int, required=True)
    drawing.add_argument("--items", type=Path, required=True)
    scoring.add_argument("readers", type=Path, nargs="+")
    for one in (drawing, scoring):
        one.add_argument("--key", type=Path, required=True)
    options = parser.parse_args()
    if options.command == "draw":
        items, key = draw(options.seed)
        options.items.write_text(items, encoding="utf-8")
        options.key.write_text(json.dumps(key), encoding="utf-8")
        return 0
    key = json.loads(options.key.read_text(encoding="utf-8"))
    for file in options.readers:
        for side, shares in score(key, json.loads(file.read_text(encoding="utf-8"))).items():
            print(f"{file.name:<20}{side:<12}marked {shares['marked']:.0%}, read twice {shares['twice']:.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
