"""Advice on which recipe to train with, from finished cells."""
