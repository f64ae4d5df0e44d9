"""The conformance suite that every reducer must pass. Packages that add a reducer run it in their own tests."""

from detreduce.reducers.testing.conformance import check_reducer

__all__ = ["check_reducer"]
