"""The command line. The modules in `commands` call the Python functions, and the modules in `show` print the
results.
"""

from detreduce.cli.program import app, main

__all__ = ["app", "main"]
