"""Code that the writers of all formats share: choice, staging, links, reports. `dataset/write.py` is the entry."""
