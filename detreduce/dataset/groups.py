"""Groups of images (videos, sequences), derived from the folders or names of the image files."""

from __future__ import annotations

import re
from collections.abc import Iterable

from detreduce.dataset.records import ImageRecord
from detreduce.errors import InputError

FOLDER = "folder"


def check_group_rule(rule: str) -> re.Pattern[str] | None:
    """Return the rule as a compiled pattern, or None for the rule ``folder``.

    Raises
    ------
    InputError
        The regular expression is not valid, or has no part in parentheses.
    """
    if rule == FOLDER:
        return None
    try:
        pattern = re.compile(rule)
    except re.error as error:
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
        parentheses. The group is the text that these parts match in the image's name. For instance, ``(.+)_\d+`` gives
        the group ``video7`` for ``video7_00012.jpg``.

    Raises
    ------
    InputError
        The rule is not a regular expression, or the rule does not match the name of an image.
    """
    pattern = check_group_rule(rule)
    if pattern is None:
        return [str(record.path.parent) for record in records]
    groups = []
    for record in records:
        match = pattern.search(record.name)
        if match is None:
            raise InputError(
                f"groups={rule!r} does not match the image name {record.name!r}. "
                "Change the rule: every image needs a group."
            )
        groups.append(" ".join(part or "" for part in match.groups()))
    return groups
