"""Choose which images to keep, and record the choice in a file."""

from __future__ import annotations

from detreduce.vocabulary.public_names import import_at_first_use

# these names are imported at first use, because reading a selection does not need the modules that choose images
__getattr__ = import_at_first_use(
    __name__,
    {
        "Selection": "detreduce.selection.record",
        "explain": "detreduce.selection.explanation",
        "select": "detreduce.selection.choose",
    },
)
__all__ = ["Selection", "explain", "select"]
