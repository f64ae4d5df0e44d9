"""The conformance suite that every reducer must pass. Packages that add a reducer run this suite in their tests."""

from detreduce.reducers.testing.conformance import check_reducer

__all__ = ["check_reducer"]
