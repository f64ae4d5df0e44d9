"""Decode and resize images, read them ahead in threads, and store the vectors that are computed from them."""
