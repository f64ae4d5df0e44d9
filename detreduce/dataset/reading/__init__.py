"""Code that the readers of several formats share: dataset YAMLs, search for images, checks of boxes, arrays."""
