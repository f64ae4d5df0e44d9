"""Groups of images (videos, sequences), from where the files are or what they are called."""

from __future__ import annotations

import re
from collections.abc import Iterable

from detreduce.dataset.records import ImageRecord
from detreduce.errors import InputError

FOLDER = "folder"


def check_group_rule(rule: str) -> re.Pattern[str] | None:
    """Return the rule as a pattern, or None for ``folder``.

    Raises
    ------
    InputError
        For a regular expression that cannot be read, or has no part in parentheses.
    """
    if rule == FOLDER:
        return None
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise InputError(f"groups={rule!r} is neither 'folder' nor a regular expression: {error}.") from error
    if not pattern.groups:
        raise InputError(
            f"groups={rule!r}: put the part of an image's name that names its group in parentheses, "
            r"for instance '(.+)_\d+', or give 'folder'."
        )
    return pattern


def assign_groups(records: Iterable[ImageRecord], rule: str) -> list[str]:
    r"""Return the group of each image.

    Parameters
    ----------
    records
        The images.
    rule
        ``folder``: the folder that the image's file is in. Otherwise a regular expression with a part in parentheses,
        looked for in the image's name: what those parts match is the group, as ``(.+)_\d+`` in ``video7_00012.jpg``.

    Raises
    ------
    InputError
        For a rule that is no regular expression, and for a name that it is not found in.
    """
    pattern = check_group_rule(rule)
    if pattern is None:
        return [str(record.path.parent) for record in records]
    found = []
    for record in records:
        match = pattern.search(record.name)
        if match is None:
            raise InputError(
                f"groups={rule!r} is not found in the image name {record.name!r}: every image needs a group."
            )
        found.append(" ".join(part or "" for part in match.groups()))
    return found
