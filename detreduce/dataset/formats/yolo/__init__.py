"""YOLO: a data.yaml, and one label file for each image."""
