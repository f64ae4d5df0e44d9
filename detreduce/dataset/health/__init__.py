"""The health of a dataset: one verdict a line, and the numbers behind the verdicts."""
