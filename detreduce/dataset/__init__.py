"""Datasets on disk: load, check, categorise, write subsets. Imports nothing of detreduce but its errors and progress."""
