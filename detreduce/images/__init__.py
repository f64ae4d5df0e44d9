"""Pixels: decode and resize images, read them ahead, and keep what is computed from each."""
