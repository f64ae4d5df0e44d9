"""Searches that several methods share: greedy, ProtoDash, and non-negative least squares."""
