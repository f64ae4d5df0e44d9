"""Folders of images without labels."""
