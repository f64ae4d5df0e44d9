"""Searches over the dataset of an experiment, done once and kept in the ledger."""
