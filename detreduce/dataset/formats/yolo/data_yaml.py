"""Edit the path lines of a data.yaml without changing other lines, and read the licence in a data.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from detreduce.dataset.formats.format import LicenceOf
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError
from detreduce.machine.documents import compose_yaml, load_yaml
from detreduce.machine.regular_files import YAMLS, read_text

_FORBIDDEN = re.compile("[^\\x09\\x0A\\x0D\\x20-\\x7E\\x85\\xA0-\\uD7FF\\uE000-\\uFFFD\\U00010000-\\U0010ffff]+")

# None removes the key. Without the key path:, the folder of the data.yaml is the root
Change = str | Sequence[str] | None
"""The new value of a key of data.yaml. None removes the key."""


@dataclass(frozen=True)
class _Edit:
    """Replace the text from `start` to `end` with `text`."""

    start: int
    end: int
    text: str


def edit_data_yaml(text: str, changes: Mapping[str, Change]) -> tuple[str, bool]:
    """Change the values of keys in the text of a data.yaml. A new value of None removes the key.

    Return the new text, and whether all other text is unchanged. If a value cannot be replaced in place (for example, a
    path with an anchor), the content is written again without comments. In this case, the second value is False. Raise
    InputError if the text is not a YAML mapping.
    """
    content = load_mapping(text)
    wanted = {key: value for key, value in content.items() if key not in changes}
    wanted |= {key: _plain(value) for key, value in changes.items() if value is not None}
    try:
        edited = _edit_text(text, changes)
        removed = {key for key, value in changes.items() if value is None}
        # in a flow mapping, a removed path becomes an empty path, which has the same meaning
        found = {key: value for key, value in load_mapping(edited).items() if key not in removed or value}
        if found == wanted:
            return edited, True
    except (yaml.YAMLError, InputError):
        pass
    order = [key for key in [*content, *changes] if key in wanted]
    ordered = {key: wanted[key] for key in dict.fromkeys(order)}
    return yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True), False


def load_mapping(text: str) -> dict[Any, Any]:
    """Parse a data.yaml in the same way as ultralytics. Raise InputError if the data.yaml is not a mapping."""
    try:
        content = load_yaml(text)
    except yaml.YAMLError:
        # ultralytics drops characters that YAML does not allow
        content = load_yaml(_FORBIDDEN.sub("", text))
    if not isinstance(content, dict):
        raise InputError("The data.yaml is not a mapping of keys to values.")
    return content


def read_yolo_licence(dataset: DetectionDataset) -> LicenceOf | None:
    """Return a function image id -> licence, or None if the data.yaml does not state a licence.

    All images have the licence under ``license``, ``licence`` or ``roboflow: license`` in the data.yaml.
    """
    try:
        content = load_mapping(read_text(dataset.source.path, YAMLS, errors="ignore"))
    except (OSError, yaml.YAMLError, InputError):
        return None
    for place in (content, content.get("roboflow")):
        if isinstance(place, Mapping):
            for key in ("license", "licence"):
                if place.get(key):
                    name = str(place[key])
                    return lambda _: name
    return None


def quote(value: str) -> str:
    """Return `value` as a YAML scalar, with quotes only if needed."""
    line = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=2**30).strip()
    return line[1:-1]


def _plain(value: str | Sequence[str]) -> str | list[str]:
    """Return a text unchanged, or a sequence of texts as a list."""
    return value if isinstance(value, str) else list(value)


def _edit_text(text: str, changes: Mapping[str, Change]) -> str:
    """Return the text with the changed values."""
    root = compose_yaml(text)
    if not isinstance(root, yaml.MappingNode):
        raise InputError("The data.yaml is not a mapping of keys to values.")
    edits: list[_Edit] = []
    found = set()
    for key, value in root.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else None
        if name is not None and name in changes:
            found.add(name)
            change = changes[name]
            if change is None:
                edits.append(_remove_key(text, key, value, flow=bool(root.flow_style)))
            else:
                edits.extend(_replace_value(text, key, value, change))
    missing = [(key, change) for key, change in changes.items() if key not in found and change is not None]
    edits.extend(_add_keys(text, root, missing))
    # back to front, so that earlier positions stay valid
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _add_keys(text: str, root: yaml.MappingNode, missing: Sequence[tuple[str, Change]]) -> list[_Edit]:
    """Return the edits that add missing keys at the end of the data.yaml."""
    lines = [f"{key}: {_format_flow(change)}" for key, change in missing if change is not None]
    if not lines:
        return []
    if root.flow_style:
        brace = root.end_mark.index - 1
        return [_Edit(brace, brace, (", " if root.value else "") + ", ".join(lines))]
    newline = "\r\n" if "\r\n" in text else "\n"
    start = "" if text.endswith("\n") else newline
    return [_Edit(len(text), len(text), start + "".join(line + newline for line in lines))]


def _find_end(node: yaml.Node) -> int:
    """Return the position directly after a value, before comments that follow the value."""
    # PyYAML places the end of a block collection after these comments
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _find_end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _replace_value(text: str, key: yaml.Node, value: yaml.Node, change: str | Sequence[str]) -> list[_Edit]:
    """Return the edits that replace the value of a key."""
    new = _plain(change)
    if isinstance(value, yaml.ScalarNode) and isinstance(new, str):
        if value.value == new:
            return []
        if value.style not in ("|", ">") and value.end_mark.index > value.start_mark.index:
            return [_Edit(value.start_mark.index, value.end_mark.index, quote(new))]
    if isinstance(value, yaml.SequenceNode) and isinstance(new, list) and len(new) == len(value.value):
        pairs = list(zip(value.value, new, strict=True))
        if all(isinstance(node, yaml.ScalarNode) for node, _ in pairs):
            return [
                _Edit(node.start_mark.index, node.end_mark.index, quote(item))
                for node, item in pairs
                if node.value != item
            ]
    # the new value has another shape: write it after the colon, and move comments in the old value above the key
    end = _find_end(value)
    colon = text.index(":", key.end_mark.index) + 1
    if isinstance(value, yaml.ScalarNode) and value.style in ("|", ">"):
        end = colon + len(text[colon:end].rstrip())
    comments = _find_comments(text, colon, value, end)
    line = text.rfind("\n", 0, key.start_mark.index) + 1
    above = [_Edit(line, line, "".join(comments))] if comments else []
    return [*above, _Edit(colon, max(end, colon), " " + _format_flow(new))]


def _find_comments(text: str, start: int, value: yaml.Node, end: int) -> list[str]:
    """Return the comments between the items of a list value, one line per comment."""
    gaps, position = [], start
    leaves = value.value if isinstance(value, yaml.SequenceNode) else []
    for leaf in leaves:
        gaps.append(text[position : leaf.start_mark.index])
        position = leaf.end_mark.index
    gaps.append(text[position:end] if leaves else "")
    return [f"{comment}\n" for gap in gaps for comment in re.findall(r"(?:^|(?<=\s))#[^\r\n]*", gap)]


def _remove_key(text: str, key: yaml.Node, value: yaml.Node, *, flow: bool) -> _Edit:
    """Return the edit that removes a key and its value. `flow` is True if the mapping has braces ({...})."""
    start, end = key.start_mark.index, max(_find_end(value), key.end_mark.index)
    if flow:
        # an empty path has the same meaning as a missing key, and the commas stay correct
        return _Edit(value.start_mark.index, end, "''")
    if end == key.end_mark.index or value.start_mark.index == value.end_mark.index:
        end = text.index(":", key.end_mark.index) + 1
    if isinstance(value, yaml.ScalarNode) and value.style in ("|", ">"):
        end = start + len(text[start:end].rstrip())
    rest = re.compile(r"[ \t]*(#[^\r\n]*)?(\r\n|\n|\r|$)").match(text, end)
    if rest is None:
        raise InputError("The data.yaml has text after a path, so the path cannot be removed.")
    # keep a comment after the path, on its own line
    return _Edit(start, rest.end(), rest.group(1) + rest.group(2) if rest.group(1) else "")


def _format_flow(change: str | Sequence[str]) -> str:
    """Return a new value as YAML on one line: a scalar, or a list in brackets."""
    if isinstance(change, str):
        return quote(change)
    return "[" + ", ".join(quote(item) for item in change) + "]"
