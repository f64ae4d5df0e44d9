"""The commands. Each command has its own module."""
