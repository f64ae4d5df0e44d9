"""Vectors of images and boxes: pixels through a backbone, pooled and kept on disk."""
