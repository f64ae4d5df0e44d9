"""What the computer gives: files, the cache folder, processors."""
