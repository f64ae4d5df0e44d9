"""Distances and kernels between the rows of an array: nearest neighbours, k-means, and means of kernels."""
