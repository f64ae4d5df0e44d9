"""Parse JSON and YAML from untrusted sources.

Files that are nested too deeply, or whose aliases expand to huge content, are refused.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import yaml

DEEPEST = 100
"""Largest number of nested levels in a YAML file, after following aliases."""
_GROWTH, _FREE = 10, 1_000_000
# YAML texts longer than this are read by the parser in C, which is ten times faster but has other messages
_LONG = 100_000
_ATOMS = frozenset({str, int, float, bool, type(None)})


def parse_json(text: str | bytes, without: Iterable[str] = ()) -> Any:
    """Parse JSON text. Raise ValueError if it is not valid JSON or is nested too deeply.

    The keys in `without` are removed from every mapping during parsing. This saves memory for long values that nobody
    needs, such as polygons. If the fault has a position in the text, the ValueError is a json.JSONDecodeError.
    """
    unwanted = tuple(without)

    def drop(entry: dict[str, Any]) -> dict[str, Any]:
        """Return an object of the JSON without the unwanted keys."""
        for key in unwanted:
            entry.pop(key, None)
        return entry

    try:
        return json.loads(text, object_hook=drop if unwanted else None)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def load_yaml(text: str) -> Any:
    """Parse YAML text like ``yaml.safe_load``. Raise yaml.YAMLError for every fault.

    These faults also raise an error: more than 100 nested levels, an anchor inside itself, and aliases that expand to
    far more than the text. Such aliases use little memory during parsing, but they could fill the memory when the
    content is printed or copied.
    """
    try:
        # remember long texts: a command reads the same file several times, and parsing a text with 50,000 names takes
        # seconds
        return _copied(_load_long(text)) if len(text) > _LONG else _load(text)
    except yaml.YAMLError:
        raise
    except RecursionError:
        raise yaml.MarkedYAMLError(problem="nested too deeply") from None
    # PyYAML does not catch the errors of date, int, float and dict (ValueError, OverflowError, KeyError, TypeError, …)
    except Exception as error:
        raise yaml.MarkedYAMLError(problem=f"a value cannot be read ({error})") from None


def _copied(value: Any) -> Any:
    """Return a deep copy of the content of a YAML file. For 50,000 names, this is ten times faster than deepcopy."""
    if type(value) is list:
        return [one if type(one) in _ATOMS else _copied(one) for one in value]
    if type(value) is dict:
        return {key: one if type(one) in _ATOMS else _copied(one) for key, one in value.items()}
    return copy.deepcopy(value)


@lru_cache(maxsize=2)
def _load_long(text: str) -> Any:
    return _load(text)


def compose_yaml(text: str) -> Any:
    """Return the root node of a YAML text. The marks of the nodes are positions in the text.

    Call this function only for a text that `load_yaml` accepts.
    """
    # do not use the parser in C for a text with a byte order mark, because it does not count this mark
    fast = len(text) > _LONG and yaml.__with_libyaml__ and not text.startswith("\ufeff")
    loader: Any = yaml.CSafeLoader if fast else yaml.SafeLoader
    return yaml.compose(text, Loader=loader)


def _load(text: str) -> Any:
    loader: Any
    if len(text) > _LONG and yaml.__with_libyaml__:
        # the composer in C is recursive, so too many levels would crash the process
        _check_levels(text)
        loader = yaml.CSafeLoader(text)
    else:
        loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_expansion(node, len(text))
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """A SafeLoader that refuses deep nesting."""

    level = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node. Raise YAMLError if it is nested too deeply."""
        self.level += 1
        if self.level > DEEPEST:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=self.peek_event().start_mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self.level -= 1


def _check_levels(text: str) -> None:
    """Raise YAMLError if a text is nested too deeply. This uses the parser in C, which is not recursive."""
    level = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
            if level > DEEPEST:
                mark: Any = event.start_mark
                raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1


def _check_expansion(root: yaml.Node, size: int) -> None:
    """Raise YAMLError if an alias contains itself, or if the content is too deep or too large after expanding all
    aliases.

    `size` is the number of characters in the text.
    """
    most = _GROWTH * size + _FREE
    # node -> (characters, levels) after replacing all aliases by their content; None while the content is being visited
    done: dict[int, tuple[int, int] | None] = {}
    pending = [root]
    while pending:
        node = pending[-1]
        if done.get(id(node)) is not None:
            pending.pop()
            continue
        children = _children(node)
        if id(node) not in done:
            done[id(node)] = None
            for child in children:
                if done.get(id(child), ()) is None:
                    raise yaml.MarkedYAMLError(problem="an anchor contains itself", problem_mark=child.start_mark)
            pending += [child for child in children if id(child) not in done]
            if pending[-1] is not node:
                continue
        sizes = [part for child in children if (part := done[id(child)]) is not None]
        characters = 1 + sum(part[0] for part in sizes)
        if isinstance(node, yaml.ScalarNode):
            characters += len(node.value)
        levels = 1 + max((part[1] for part in sizes), default=0)
        if characters > most:
            raise yaml.MarkedYAMLError(problem="aliases expand to too much content", problem_mark=node.start_mark)
        if levels > DEEPEST + 1:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=node.start_mark)
        done[id(node)] = characters, levels
        pending.pop()


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return []
