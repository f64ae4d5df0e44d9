"""Recipes: what a training sees, for how long, and with which settings, as one object."""
