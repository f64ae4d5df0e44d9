"""How a subset reaches the disk: staging, links, and one module a format. `dataset/write.py` is the entry."""
