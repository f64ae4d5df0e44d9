"""Evaluate a trained detector with ultralytics and with pycocotools.

A detector can also be evaluated on corrupted images. The mAP can also be computed for resampled images.
"""
