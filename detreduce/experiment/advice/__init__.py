"""Advice on how to train: which method, keep and number of epochs, from the finished cells of a ledger."""
