"""What cells and selections cost in time and energy, and limits on what a run may spend."""
