"""Dataset formats: one folder each (`read`, `write`, `row`), and the registry that names them."""
