"""The methods that choose images. A method works on arrays and does not read image files."""

from detreduce.reducers.registry import list_reducers, make_reducer, reducer_class

__all__ = ["list_reducers", "make_reducer", "reducer_class"]
