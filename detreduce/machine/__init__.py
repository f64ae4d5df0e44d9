"""The computer: files, the cache folder, the number of processors, hashes, and values for JSON."""
