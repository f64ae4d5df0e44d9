"""Methods that choose images. They only see arrays, not image files."""

from detreduce.reducers.registry import list_reducers, make_reducer, reducer_class

__all__ = ["list_reducers", "make_reducer", "reducer_class"]
