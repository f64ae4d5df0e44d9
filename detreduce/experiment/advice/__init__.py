"""Advice on how to train, based on the finished cells of a ledger: which method, keep and number of epochs to use."""
