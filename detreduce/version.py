"""The version of detreduce. This module imports no other module, so that every module can import the version."""

__version__ = "0.1.0"
