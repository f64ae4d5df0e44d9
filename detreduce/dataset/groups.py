"""Groups of images, for example the frames of one video, derived from the folders or the names of the image files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable

from detreduce.dataset.records import ImageRecord
from detreduce.errors import InputError
from detreduce.machine.untrusted.documents import parse_json

FOLDER = "folder"
SECONDS, NAMES_PER_SECOND = 20, 10_000
_PATIENCE = 30
"""The process is stopped after this multiple of its allowed processor time. The factor allows for busy machines."""
_CHILD = """
import json, re, sys
rule, names, seconds = json.load(sys.stdin)
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
except (ImportError, OSError, ValueError):
    pass  # Windows has no such limit
search = re.compile(rule).search
found = map(search, names)
json.dump([match and " ".join(part or "" for part in match.groups()) for match in found], sys.stdout)
"""


def check_group_rule(rule: str) -> re.Pattern[str] | None:
    """Return the rule as a compiled pattern, or None for the rule ``folder``.

    Raises
    ------
    InputError
        The rule is not a valid regular expression, or contains no part in parentheses.
    """
    if rule == FOLDER:
        return None
    try:
        pattern = re.compile(rule)
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(
            f"groups={rule!r} is not a valid regular expression: {error}. Correct the expression or use 'folder'."
        ) from error
    if not pattern.groups:
        raise InputError(
            f"groups={rule!r} has no part in parentheses. Put parentheses around the part that matches the group, "
            r"for instance '(.+)_\d+', or use 'folder'."
        )
    return pattern


def assign_groups(records: Iterable[ImageRecord], rule: str) -> list[str]:
    r"""Return the group of each image.

    Parameters
    ----------
    records
        The images.
    rule
        ``folder``: the group is the folder of the image file. Any other rule is a regular expression with parts in
        parentheses. The group of an image is the part of the image's name that the parentheses match. For instance,
        ``(.+)_\d+`` gives the group ``video7`` for ``video7_00012.jpg``.

    Raises
    ------
    InputError
        The rule is not a regular expression, or the rule does not match the name of an image.
    """
    pattern = check_group_rule(rule)
    if pattern is None:
        return [str(record.path.parent) for record in records]
    names = [record.name for record in records]
    groups = _match(rule, names)
    for name, group in zip(names, groups, strict=True):
        if group is None:
            raise InputError(
                f"groups={rule!r} does not match the image name {name!r}. Change the rule: every image needs a group."
            )
    return [group for group in groups if group is not None]


def _match(rule: str, names: list[str]) -> list[str | None]:
    """Return the text that the parentheses of the rule match in each name, or None. Raise InputError if this takes too
    long.

    The matching runs in another process, because Python cannot interrupt it. With nested repeats such as ``(a+)+b``,
    the time doubles with each character of a name. Only the time on a processor counts.
    """
    seconds = SECONDS + len(names) // NAMES_PER_SECOND
    content = json.dumps([rule, names, seconds]).encode()
    command = [sys.executable, "-I", "-S", "-c", _CHILD]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=_PATIENCE * seconds)
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode < 0:  # a signal ended it
        raise InputError(
            f"groups={rule!r} does not finish in {seconds} s. Change the rule: do not repeat a part that contains "
            "a repeat, such as (a+)+."
        )
    done.check_returncode()
    groups: list[str | None] = parse_json(done.stdout)
    return groups
