"""Experiments: the grid of cells, the ledger of finished cells, and their statistics.

A cell is one training: one method, one keep, one selection seed and one training seed.
"""
