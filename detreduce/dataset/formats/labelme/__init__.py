"""LabelMe: one JSON file for each image."""
