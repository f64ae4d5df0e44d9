"""Streams: the order and the frequency of the images in a training."""
