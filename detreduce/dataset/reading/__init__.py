"""Code that the readers of several formats share: dataset YAML, image lookup, box checks, arrays."""
