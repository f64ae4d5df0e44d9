"""What the writers of all formats share: the choice, staging, links, reports. The entry is `dataset/write.py`."""
