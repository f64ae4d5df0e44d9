"""Recipes: the images, the length and the settings of a training in one object."""
