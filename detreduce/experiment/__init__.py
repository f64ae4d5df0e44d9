"""The grid of cells, the ledger, and statistics over it."""
