"""The version, below everything that wants to name it."""

__version__ = "0.1.0"
