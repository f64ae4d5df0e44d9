"""Edit the paths in a data.yaml without changing other lines, and read the licence that it states."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from detreduce.dataset.formats.format import LicenceOf
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError
from detreduce.machine.untrusted.documents import compose_yaml, load_yaml
from detreduce.machine.untrusted.regular_files import YAMLS, read_text

_FORBIDDEN = re.compile("[^\\x09\\x0A\\x0D\\x20-\\x7E\\x85\\xA0-\\uD7FF\\uE000-\\uFFFD\\U00010000-\\U0010ffff]+")

# removing the key path: makes the folder of the data.yaml the root
Change = str | Sequence[str] | None
"""The new value of a key in a data.yaml. None means that the key is removed."""


@dataclass(frozen=True)
class _Edit:
    """Replaces the text from position `start` to position `end` with `text`."""

    start: int
    end: int
    text: str


def edit_data_yaml(text: str, changes: Mapping[str, Change]) -> tuple[str, bool]:
    """Change the values of keys in the text of a data.yaml. A key whose new value is None is removed.

    Return the new text, and whether the rest of the text is unchanged. If a value cannot be replaced in place (for
    example, a path with an anchor), the whole content is written again without comments, and the second value is False.
    Raise InputError if the text is not a YAML mapping.
    """
    content = load_mapping(text)
    wanted = {key: value for key, value in content.items() if key not in changes}
    wanted |= {key: _plain(value) for key, value in changes.items() if value is not None}
    try:
        edited = _edit_text(text, changes)
        removed = {key for key, value in changes.items() if value is None}
        # in a flow mapping ({...}), a removed path becomes an empty path, which means the same
        found = {key: value for key, value in load_mapping(edited).items() if key not in removed or value}
        if found == wanted:
            return edited, True
    except (yaml.YAMLError, InputError):
        pass
    order = [key for key in [*content, *changes] if key in wanted]
    ordered = {key: wanted[key] for key in dict.fromkeys(order)}
    return yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True), False


def load_mapping(text: str) -> dict[Any, Any]:
    """Parse a data.yaml as ultralytics does. Raise InputError if it is not a mapping."""
    try:
        content = load_yaml(text)
    except yaml.YAMLError:
        # ultralytics drops characters that YAML does not allow
        content = load_yaml(_FORBIDDEN.sub("", text))
    if not isinstance(content, dict):
        raise InputError("The data.yaml is not a mapping of keys to values.")
    return content


def read_yolo_licence(dataset: DetectionDataset) -> LicenceOf | None:
    """Return a function that maps an image id to a licence, or None if the data.yaml does not state a licence.

    All images have the same licence. It is stated under ``license``, ``licence`` or ``roboflow: license``.
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
    """Return `value` as a YAML scalar, quoted only if necessary."""
    line = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=2**30).strip()
    return line[1:-1]


def _plain(value: str | Sequence[str]) -> str | list[str]:
    """Return a string unchanged, or a sequence of strings as a list."""
    return value if isinstance(value, str) else list(value)


def _edit_text(text: str, changes: Mapping[str, Change]) -> str:
    """Return the text with the changes made in place."""
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
    # apply the edits from back to front, so that the positions of the remaining ones stay valid
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
    """Return the position directly after a value and before the comments that follow it."""
    # for a block collection, PyYAML gives the position after these comments
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
    # the new value has another shape: write it after the colon, and move the comments inside the old value above the
    # key
    end = _find_end(value)
    colon = text.index(":", key.end_mark.index) + 1
    if isinstance(value, yaml.ScalarNode) and value.style in ("|", ">"):
        end = colon + len(text[colon:end].rstrip())
    comments = _find_comments(text, colon, value, end)
    line = text.rfind("\n", 0, key.start_mark.index) + 1
    above = [_Edit(line, line, "".join(comments))] if comments else []
    return [*above, _Edit(colon, max(end, colon), " " + _format_flow(new))]


def _find_comments(text: str, start: int, value: yaml.Node, end: int) -> list[str]:
    """Return the comments between the items of a list value, one per line."""
    gaps, position = [], start
    leaves = value.value if isinstance(value, yaml.SequenceNode) else []
    for leaf in leaves:
        gaps.append(text[position : leaf.start_mark.index])
        position = leaf.end_mark.index
    gaps.append(text[position:end] if leaves else "")
    return [f"{comment}\n" for gap in gaps for comment in re.findall(r"(?:^|(?<=\s))#[^\r\n]*", gap)]


def _remove_key(text: str, key: yaml.Node, value: yaml.Node, *, flow: bool) -> _Edit:
    """Return the edit that removes a key and its value.

    `flow` says whether the mapping is written with braces ({...}).
    """
    start, end = key.start_mark.index, max(_find_end(value), key.end_mark.index)
    if flow:
        # an empty path means the same as a missing key, and this way the commas stay correct
        return _Edit(value.start_mark.index, end, "''")
    if end == key.end_mark.index or value.start_mark.index == value.end_mark.index:
        end = text.index(":", key.end_mark.index) + 1
    if isinstance(value, yaml.ScalarNode) and value.style in ("|", ">"):
        end = start + len(text[start:end].rstrip())
    rest = re.compile(r"[ \t]*(#[^\r\n]*)?(\r\n|\n|\r|$)").match(text, end)
    if rest is None:
        raise InputError("The data.yaml has text after a path, so the path cannot be removed.")
    # keep the comment after the path, on a line of its own
    return _Edit(start, rest.end(), rest.group(1) + rest.group(2) if rest.group(1) else "")


def _format_flow(change: str | Sequence[str]) -> str:
    """Return a new value as YAML on a single line: a scalar, or a list in brackets."""
    if isinstance(change, str):
        return quote(change)
    return "[" + ", ".join(quote(item) for item in change) + "]"
