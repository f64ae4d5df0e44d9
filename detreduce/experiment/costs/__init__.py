"""What cells and choices cost, and how much a run may spend."""
