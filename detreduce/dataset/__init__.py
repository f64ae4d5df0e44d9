"""Datasets on disk: load, check, categorise, write subsets. Imports only errors and progress of detreduce."""
