"""Merge datasets: write the images and labels of several datasets as one new dataset, with classes matched by name."""
