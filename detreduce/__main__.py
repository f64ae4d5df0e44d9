"""Run the command as ``python -m detreduce``, for systems where ``detreduce`` is not on the PATH."""

from detreduce.cli import main

main()
