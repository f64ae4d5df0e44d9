"""Streams: which image comes when in a training, and how often."""
