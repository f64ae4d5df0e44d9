"""The command line. Modules in `commands` call the Python functions. Modules in `show` print the results."""

from detreduce.cli.program import app, main

__all__ = ["app", "main"]
