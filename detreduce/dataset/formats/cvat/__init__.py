"""CVAT for images 1.1: a single annotations.xml."""
