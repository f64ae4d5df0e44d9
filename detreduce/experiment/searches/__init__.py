"""Searches for duplicates and leakage in the dataset of an experiment. Each search runs once."""
