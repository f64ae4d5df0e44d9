"""Write the reference of the experiment YAML into docs/experiment.md, and its JSON schema, from the config classes.

python scripts/docs/experiment.py
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detreduce.experiment.config import ExperimentConfig
from detreduce.reducers.registry import BUILT_IN
from detreduce.training.streams.stream import KINDS

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE, SCHEMA = DOCS / "experiment.md", DOCS / "experiment.schema.json"
BEGIN, END = "<!-- keys: scripts/docs/experiment.py -->", "<!-- /keys -->"

PERCENTAGE = {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}
ARGUMENTS = ("epochs", "imgsz", "batch", "freeze")
SECTIONS = ("features", "reduce", "proxy", "train", "evaluate", "energy")
NAMES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}


def schema() -> dict[str, Any]:
    """Return the JSON schema of an experiment YAML, which also allows the short forms, such as a single keep."""
    found = ExperimentConfig.model_json_schema()
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    reduce = found["$defs"]["ReduceConfig"]["properties"]
    reduce["methods"]["items"] = {"anyOf": [{"type": "string", "examples": list(BUILT_IN)}, reduce["methods"]["items"]]}
    keep = {key: reduce["keep"].pop(key) for key in ("type", "items")}
    reduce["keep"]["anyOf"] = [keep, *keep["items"]["anyOf"]]
    corruptions = found["$defs"]["EvaluateConfig"]["properties"]["corruptions"]
    corruptions["anyOf"] = [{key: corruptions.pop(key) for key in ("type", "items")}, {"enum": ["all"]}]
    recipe, subset = (found["$defs"][name]["properties"] for name in ("Recipe", "Subset"))
    options = {"$ref": recipe["stream"].pop("$ref")}
    recipe["stream"]["anyOf"] = [{"enum": list(KINDS)}, options]
    found["$defs"]["FeaturesConfig"]["properties"]["detector"]["anyOf"].insert(0, {"type": "string"})
    for entry in (recipe["images_seen"], subset["keep"]):
        entry["anyOf"] = [*entry["anyOf"], PERCENTAGE]
    return found


def reference(found: dict[str, Any]) -> str:
    """Return the Markdown of the reference: a table of the top-level keys, and a table for each section.

    `found` is the JSON schema.
    """
    lines = [*_table(found, found)]
    for name in SECTIONS:
        section = _resolved(found["properties"][name], found)
        lines += ["", f"### {name}", "", *textwrap.wrap(_plain(section["description"]), 120), ""]
        lines += _table(section, found)
        if section.get("additionalProperties") is True:
            others = ", ".join(f"`{key}`" for key in ARGUMENTS if key not in section["properties"])
            lines += [
                "",
                f"Any other key is an argument of ultralytics, for instance {others}.",
            ]
    composing = found["$defs"]["MethodConfig"]["properties"].keys() - {"name"}
    own = "An entry of `reduce.methods` is the name of a method, or a mapping such as `{name: mms, start: center, "
    own += "max_per_group: 5}`. The mapping may contain parameters of the method and the keys "
    own += f"{', '.join(f'`{name}`' for name in sorted(composing))}. For this method, these keys replace the keys of "
    own += "the section `reduce`."
    lines += ["", "### Settings of one method", "", *textwrap.wrap(own, 120)]
    for title, name in (
        ("The detector of features", "DetectorConfig"),
        ("One recipe", "Recipe"),
        ("The stream of a recipe", "Stream"),
    ):
        section = found["$defs"][name]
        words = textwrap.wrap(_plain(section["description"]), 120)
        lines += ["", f"### {title}", "", *words, "", *_table(section, found)]
    return "\n".join(lines)


def _table(section: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    yield from ("| key | value | default | |", "|---|---|---|---|")
    required = section.get("required", [])
    for name, entry in section["properties"].items():
        default = "required" if name in required else _default(entry)
        cells = (f"`{name}`", _type(entry, found), default, entry.get("description", ""))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(entry: dict[str, Any]) -> str:
    default = entry.get("default")
    # the default of a section is not repeated here, because the section has its own table
    return "its defaults" if isinstance(default, dict) or "default" not in entry else f"`{json.dumps(default)}`"


def _type(entry: dict[str, Any], found: dict[str, Any]) -> str:
    if "$ref" in entry:
        target = _resolved(entry, found)
        return "a method" if target["title"] == "MethodConfig" else "section"
    if "anyOf" in entry:
        options = [option for option in entry["anyOf"] if option.get("type") != "null"]
        single = dict.fromkeys(_type(option, found) for option in options if option.get("type") != "array")
        several = [option for option in options if option.get("type") == "array"]
        if "number" in single:
            single.pop(NAMES["integer"], None)
        if single and several:
            return f"{' or '.join(single)}, or a list"
        return " or ".join([*single, *(_type(option, found) for option in several)])
    if "const" in entry:
        return f"`{entry['const']}`"
    if "enum" in entry:
        return " or ".join(f"`{value}`" for value in entry["enum"])
    if entry.get("type") == "array":
        return f"list of: {_type(entry['items'], found)}"
    if entry.get("type") == "object":
        return "mapping"
    return NAMES[entry["type"]]


def _resolved(entry: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return the section to which a property refers, directly or as one of two options."""
    options = [entry, *entry.get("anyOf", []), *entry.get("allOf", [])]
    reference = next(option["$ref"] for option in options if "$ref" in option)
    return found["$defs"][reference.rsplit("/", 1)[1]]


def _plain(text: str) -> str:
    return " ".join(text.split())


def with_reference(text: str, tables: str) -> str:
    """Return the text of the page, in which `tables` replaces the lines between the two markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{PAGE} lacks the markers {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def schema_text() -> str:
    """Return the JSON schema as the text of docs/experiment.schema.json."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    PAGE.write_text(with_reference(PAGE.read_text(encoding="utf-8"), reference(schema())), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    print(PAGE, SCHEMA, sep="\n")


if __name__ == "__main__":
    main()
