"""Pixels: decode, resize, read ahead, and keep what was computed from each image."""
