"""Merge datasets: all images and labels of several datasets in one new dataset, with classes joined by name."""
