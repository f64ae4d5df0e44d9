"""Which recipe to train with, from finished cells."""
