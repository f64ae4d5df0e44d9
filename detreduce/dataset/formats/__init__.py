"""Dataset formats: one folder per format (`read`, `write`, `row`), and the registry of all formats."""
