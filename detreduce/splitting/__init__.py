"""Split a dataset: hold out images of train as a new val or test split, without leaks."""

from __future__ import annotations

from detreduce.vocabulary.public_names import import_at_first_use

__getattr__ = import_at_first_use(
    __name__,
    {"SplitResult": "detreduce.splitting.run", "split_dataset": "detreduce.splitting.run"},
)
__all__ = ["SplitResult", "split_dataset"]
