"""Dataset formats: one package per format (with modules `read`, `write` and `row`), and the registry of all formats."""
