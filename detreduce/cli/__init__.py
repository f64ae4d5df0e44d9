"""The command line: a module a command, thin over the functions that Python users call, and what it shows."""

from detreduce.cli.program import app, main

__all__ = ["app", "main"]
