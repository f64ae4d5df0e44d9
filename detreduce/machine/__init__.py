"""What the machine provides: files, the cache folder, processors; and hashes and JSON of what is stored."""
