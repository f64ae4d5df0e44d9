"""The command line: one module for each command, thin over the Python functions, and what each command shows."""

from detreduce.cli.program import app, main

__all__ = ["app", "main"]
