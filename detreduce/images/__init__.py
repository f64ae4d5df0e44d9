"""Decode and resize images, read images ahead, and store the vectors that are computed from the images."""
