"""Evaluate a trained detector with ultralytics and with pycocotools, also on resampled and on corrupted images."""
