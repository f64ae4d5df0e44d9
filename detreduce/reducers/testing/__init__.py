"""The conformance suite that every reducer passes, for the tests of packages that add one."""

from detreduce.reducers.testing.conformance import check_reducer

__all__ = ["check_reducer"]
