"""Costs of cells and of choosing, and limits on what a run may spend."""
