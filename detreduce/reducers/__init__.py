"""Methods that choose images. A method reads arrays. It does not read image files."""

from detreduce.reducers.registry import list_reducers, make_reducer, reducer_class

__all__ = ["list_reducers", "make_reducer", "reducer_class"]
