"""``python -m detreduce``, where the command is not on the path."""

from detreduce.cli import main

main()
