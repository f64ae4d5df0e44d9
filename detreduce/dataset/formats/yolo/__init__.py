"""YOLO: a data.yaml, and one label file per image."""
