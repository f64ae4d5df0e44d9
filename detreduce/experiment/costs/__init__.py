"""The cost of cells and selections in time and energy, and limits on what a run may spend."""
