"""Choose which images to keep, and record the choice in a file."""

from __future__ import annotations

from detreduce.vocabulary.public_names import import_at_first_use

# imported at first use: reading a selection does not import the modules that choose images
__getattr__ = import_at_first_use(
    __name__,
    {
        "Selection": "detreduce.selection.record",
        "explain": "detreduce.selection.explanation",
        "select": "detreduce.selection.choose",
    },
)
__all__ = ["Selection", "explain", "select"]
