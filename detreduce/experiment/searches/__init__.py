"""The searches for duplicates and leaks in the dataset of an experiment. Each search runs only once."""
