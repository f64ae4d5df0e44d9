"""COCO: one instances JSON per split."""
