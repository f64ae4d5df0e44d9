"""Methods that choose images; they know arrays, not images."""

from detreduce.reducers.registry import list_reducers, make_reducer, reducer_class

__all__ = ["list_reducers", "make_reducer", "reducer_class"]
